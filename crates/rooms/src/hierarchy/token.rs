//! Where a page of a tree ended, as clients carry it: sealed against change, and for a while.

use std::time::Duration;

use model::time::Timestamp;
use ruma::{
    OwnedRoomId,
    serde::{Base64, base64::UrlSafe},
};
use serde::{Deserialize, Serialize};

use super::HierarchyError;
use crate::{Rooms, space::Place};

/// How long a token is good.
const LIFETIME: Duration = Duration::from_secs(60 * 60);

const PURPOSE: &str = "rooms.hierarchy";
const PREFIX: &str = "h1.";

/// How much of the keyed hash a token carries.
const PROOF_BYTES: usize = 16;

/// What a client walks through: the same on all pages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tree {
    #[serde(rename = "r")]
    pub(super) room_id: OwnedRoomId,
    #[serde(rename = "d")]
    pub(super) max_depth: u64,
    #[serde(rename = "s")]
    pub(super) suggested_only: bool,
}

/// The last place of the page before.
#[derive(Serialize, Deserialize)]
pub(super) struct Cursor {
    #[serde(rename = "w")]
    tree: Tree,
    #[serde(rename = "t")]
    at: i64,
    #[serde(rename = "p")]
    pub(super) path: Vec<Place>,
}

impl Rooms {
    pub(super) fn write_cursor(&self, tree: &Tree, path: Vec<Place>) -> String {
        let cursor = Cursor {
            tree: tree.clone(),
            at: self.clock().now().as_millis(),
            path,
        };
        let text = serde_json::to_vec(&cursor).expect("numbers and texts always serialise");
        let proof = self.proof_of(&text);
        format!("{PREFIX}{}.{}", encoded(&text), encoded(&proof))
    }

    pub(super) fn read_cursor(&self, token: &str, tree: &Tree) -> Result<Cursor, HierarchyError> {
        let parts = token.strip_prefix(PREFIX);
        let parts = parts.and_then(|rest| rest.split_once('.'));
        let (text, proof) = parts.ok_or(HierarchyError::BadToken)?;
        let (text, proof) = (decoded(text)?, decoded(proof)?);
        if proof != self.proof_of(&text) {
            return Err(HierarchyError::BadToken);
        }
        let cursor: Cursor = serde_json::from_slice(&text).map_err(|_| HierarchyError::BadToken)?;
        if self.clock().now().since(Timestamp::from_millis(cursor.at)) > LIFETIME {
            return Err(HierarchyError::Expired);
        }
        if cursor.tree != *tree {
            return Err(HierarchyError::OtherRequest);
        }
        Ok(cursor)
    }

    fn proof_of(&self, text: &[u8]) -> Vec<u8> {
        self.keyring().blind(PURPOSE, text)[..PROOF_BYTES].to_vec()
    }
}

fn encoded(bytes: &[u8]) -> String {
    Base64::<UrlSafe, _>::new(bytes).encode()
}

fn decoded(text: &str) -> Result<Vec<u8>, HierarchyError> {
    let decoded = Base64::<UrlSafe>::parse(text);
    decoded
        .map(Base64::into_inner)
        .map_err(|_| HierarchyError::BadToken)
}

//! A session's key as clients give it and get it back.

use ruma::{UInt, api::client::backup::KeyBackupData, serde::Raw};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    conflict::Rank,
    given::{member, object},
};
use crate::limits;

/// The fields of a key; `session_data` is the client's own, whatever the algorithm.
#[derive(Serialize)]
struct Fields<'a> {
    first_message_index: UInt,
    forwarded_count: UInt,
    is_verified: bool,
    session_data: &'a RawValue,
}

/// The same as clients give it.
#[derive(Deserialize)]
struct Given<'a> {
    #[serde(borrow)]
    first_message_index: Option<&'a RawValue>,
    #[serde(borrow)]
    forwarded_count: Option<&'a RawValue>,
    #[serde(borrow)]
    is_verified: Option<&'a RawValue>,
    #[serde(borrow)]
    session_data: Option<&'a RawValue>,
}

/// A key of the right shape.
pub(crate) struct CheckedSession {
    pub(crate) room: String,
    pub(crate) session: String,
    pub(crate) rank: Rank,
    pub(crate) data: String,
}

impl CheckedSession {
    /// Checks a key; tells in a sentence why it is malformed or too large.
    pub(crate) fn parse(
        room: &str,
        session: &str,
        key: &Raw<KeyBackupData>,
    ) -> Result<Self, String> {
        if !limits::is_id(room) || !limits::is_id(session) {
            return Err("it is no id of a room or a session".to_owned());
        }
        let given: Given<'_> =
            serde_json::from_str(key.json().get()).map_err(|_| "a key is an object".to_owned())?;
        let data = object("session_data", given.session_data, limits::BACKUP_BYTES)?;
        let first: UInt = member("first_message_index", given.first_message_index)?;
        let forwarded: UInt = member("forwarded_count", given.forwarded_count)?;
        Ok(Self {
            room: room.to_owned(),
            session: session.to_owned(),
            rank: Rank {
                is_verified: member("is_verified", given.is_verified)?,
                first_message_index: first.into(),
                forwarded_count: forwarded.into(),
            },
            data: data.get().to_owned(),
        })
    }

    pub(crate) fn size_bytes(&self) -> usize {
        self.data.len() + self.room.len() + self.session.len() + 128
    }
}

/// The key as clients read it; `None` when the stored data is damaged.
pub(crate) fn to_json(rank: Rank, data: &[u8]) -> Option<Raw<KeyBackupData>> {
    let fields = Fields {
        first_message_index: UInt::try_from(rank.first_message_index).ok()?,
        forwarded_count: UInt::try_from(rank.forwarded_count).ok()?,
        is_verified: rank.is_verified,
        session_data: serde_json::from_slice(data).ok()?,
    };
    let json = serde_json::value::to_raw_value(&fields).ok()?;
    Some(Raw::from_json(json))
}

//! Tags on rooms: the room account data `m.tag`.

use std::{collections::BTreeMap, sync::Arc};

use ruma::RoomId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Intent, StoreError};

use crate::{
    Accounts,
    account_data::refuse,
    applier::AccountChanges,
    change::{Change, EditAccountData, Refusal},
};

/// The type of the entry.
pub const TAGS: &str = "m.tag";

/// The longest name of a tag, as the specification says.
const MAX_TAG_BYTES: usize = 255;

/// How many tags a room can have.
const MAX_TAGS: usize = 100;

/// The largest description of a tag.
const MAX_INFO_BYTES: usize = 4 * 1024;

/// Tags by name, with what a client tells of each.
pub type Tags = BTreeMap<String, Value>;

/// Why a tag was not set.
#[derive(Debug, thiserror::Error)]
pub enum TagError {
    /// The name is empty, too long or has a NUL.
    #[error("a tag has a name of 1 to {MAX_TAG_BYTES} bytes without U+0000")]
    Name,
    /// The description is too large.
    #[error("a tag's description has at most {MAX_INFO_BYTES} bytes")]
    TooLarge,
    /// The room has too many tags.
    #[error("a room has at most {MAX_TAGS} tags")]
    TooMany,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Default, Serialize, Deserialize)]
struct Content {
    #[serde(default)]
    tags: Tags,
}

struct TooMany;

impl From<Refusal> for TagError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Edit(_) => Self::TooMany,
            other => Self::Store(other.into_store()),
        }
    }
}

impl Accounts {
    /// The tags of a room.
    pub async fn tags(&self, user: i64, room: &RoomId) -> Result<Tags, StoreError> {
        let content = self.account_data(user, Some(room), TAGS).await?;
        Ok(read(content.as_ref().map(|content| content.get().as_bytes())).tags)
    }

    /// Puts a tag on a room, or changes what is told of it.
    pub async fn set_tag(
        &self,
        user: i64,
        room: &RoomId,
        tag: &str,
        info: Value,
    ) -> Result<(), TagError> {
        check_name(tag)?;
        if info.to_string().len() > MAX_INFO_BYTES {
            return Err(TagError::TooLarge);
        }
        let tag = tag.to_owned();
        let edit = Arc::new(move |standing: Option<&[u8]>| {
            let mut content = read(standing);
            content.tags.insert(tag.clone(), info.clone());
            if content.tags.len() > MAX_TAGS {
                return Err(refuse(TooMany));
            }
            Ok(write(&content))
        });
        Ok(self.edit_account_data(user, Some(room), TAGS, edit).await?)
    }

    /// Adds to an intent that a user's room has a tag, of which nothing is told.
    pub fn add_tag(&self, intent: &mut Intent, user: i64, room: &RoomId, tag: &'static str) {
        let edit = Arc::new(move |standing: Option<&[u8]>| {
            let mut content = read(standing);
            let info = Value::Object(serde_json::Map::new());
            content.tags.insert(tag.to_owned(), info);
            Ok(write(&content))
        });
        intent.add::<AccountChanges>(Change::EditAccountData(EditAccountData {
            user,
            room_id: Some(room.to_string()),
            kind: TAGS.to_owned(),
            size_bytes: MAX_INFO_BYTES,
            edit,
        }));
    }

    /// Takes a tag from a room; succeeds when it is not there.
    pub async fn remove_tag(&self, user: i64, room: &RoomId, tag: &str) -> Result<(), TagError> {
        check_name(tag)?;
        if self.account_data(user, Some(room), TAGS).await?.is_none() {
            return Ok(());
        }
        let tag = tag.to_owned();
        let edit = Arc::new(move |standing: Option<&[u8]>| {
            let mut content = read(standing);
            content.tags.remove(&tag);
            Ok(write(&content))
        });
        Ok(self.edit_account_data(user, Some(room), TAGS, edit).await?)
    }
}

fn check_name(tag: &str) -> Result<(), TagError> {
    if tag.is_empty() || model::ids::bounded_clear(tag, MAX_TAG_BYTES).is_err() {
        return Err(TagError::Name);
    }
    Ok(())
}

/// A client may have written anything there: what is not tags counts as none.
fn read(standing: Option<&[u8]>) -> Content {
    standing
        .and_then(|content| serde_json::from_slice(content).ok())
        .unwrap_or_default()
}

fn write(content: &Content) -> Vec<u8> {
    serde_json::to_vec(content).expect("strings and JSON values always serialise")
}

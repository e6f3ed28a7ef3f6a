//! What clients keep here for their owner, globally and for each room.

use std::sync::Arc;

use ruma::RoomId;
use serde_json::value::RawValue;
use store::{Intent, Pos, Reader, Row, StoreError, Ticket};

use crate::{
    Accounts,
    applier::AccountChanges,
    change::{Change, Edit, EditAccountData, EditRefusal, Refusal},
    rows::place,
};

/// The largest entry.
pub const MAX_CONTENT_BYTES: usize = 256 * 1024;

const MAX_KIND_BYTES: usize = 255;

/// One entry, as a client reads it.
#[derive(Clone, Debug)]
pub struct AccountDataEntry {
    /// The interned room; zero for what is global.
    pub room: i64,
    /// The type.
    pub kind: String,
    /// The content: a JSON object.
    pub content: Box<RawValue>,
    /// Where it was last changed.
    pub pos: Pos,
}

/// Why an entry was not changed.
#[derive(Debug, thiserror::Error)]
pub enum AccountDataError {
    /// There is no such account, or it is closed.
    #[error("there is no such account")]
    NoSuchUser,
    /// The type is empty, too long or has a NUL.
    #[error("a type has 1 to {MAX_KIND_BYTES} bytes without U+0000")]
    Kind,
    /// The content is too large.
    #[error("an entry has at most {MAX_CONTENT_BYTES} bytes")]
    TooLarge,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Refusal> for AccountDataError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoSuchUser => Self::NoSuchUser,
            other => Self::Store(other.into_store()),
        }
    }
}

const READ_ONE: &str =
    "SELECT content FROM account_data WHERE user_id = $1 AND room_id = $2 AND kind = $3";
const READ_SINCE: &str = "SELECT room_id, kind, content, pos FROM account_data \
     WHERE user_id = $1 AND pos > $2 AND pos <= $3 ORDER BY pos";
const READ_OF_ROOM: &str = "SELECT room_id, kind, content, pos FROM account_data \
     WHERE user_id = $1 AND room_id = $2 AND pos > $3 AND pos <= $4 ORDER BY pos";

impl Accounts {
    /// One entry; in `room`, or global.
    pub async fn account_data(
        &self,
        user: i64,
        room: Option<&RoomId>,
        kind: &str,
    ) -> Result<Option<Box<RawValue>>, StoreError> {
        let snapshot = self.database().snapshot().await?;
        let room = match room {
            None => 0,
            Some(room) => {
                let names = self.database().names();
                match names.room(&snapshot, room.as_str()).await? {
                    Some(room) => room,
                    None => return Ok(None),
                }
            }
        };
        self.account_data_at(&snapshot, user, room, kind).await
    }

    /// One entry as a reader sees it; room zero is global.
    pub async fn account_data_at(
        &self,
        reader: &Reader,
        user: i64,
        room: i64,
        kind: &str,
    ) -> Result<Option<Box<RawValue>>, StoreError> {
        if model::ids::bounded_clear(kind, MAX_KIND_BYTES).is_err() {
            return Ok(None);
        }
        let params = [user.into(), room.into(), kind.into()];
        let Some(row) = reader.query_opt(READ_ONE, &params).await? else {
            return Ok(None);
        };
        let content = self.open_entry(reader, (user, room, kind), row.bytes(0)?);
        content.await.map(Some)
    }

    /// The entries of a user that changed after `from`, up to `to`, in that order.
    pub async fn account_data_since(
        &self,
        reader: &Reader,
        user: i64,
        from: Pos,
        to: Pos,
    ) -> Result<Vec<AccountDataEntry>, StoreError> {
        let params = [user.into(), from.get().into(), to.get().into()];
        let rows = reader.query(READ_SINCE, &params).await?;
        self.open_entries(reader, user, &rows).await
    }

    /// The entries of a user for one room, zero for those of no room, that changed after `from`,
    /// up to `to`, in that order.
    pub async fn account_data_of(
        &self,
        reader: &Reader,
        user: i64,
        room: i64,
        from: Pos,
        to: Pos,
    ) -> Result<Vec<AccountDataEntry>, StoreError> {
        let params = [user.into(), room.into(), from.get().into(), to.get().into()];
        let rows = reader.query(READ_OF_ROOM, &params).await?;
        self.open_entries(reader, user, &rows).await
    }

    async fn open_entries(
        &self,
        reader: &Reader,
        user: i64,
        rows: &[Row],
    ) -> Result<Vec<AccountDataEntry>, StoreError> {
        let mut entries = Vec::with_capacity(rows.len());
        for row in rows {
            let (room, kind) = (row.int(0)?, row.text(1)?);
            let content = self.open_entry(reader, (user, room, kind), row.bytes(2)?);
            entries.push(AccountDataEntry {
                room,
                kind: kind.to_owned(),
                content: content.await?,
                pos: Pos::new(row.int(3)?),
            });
        }
        Ok(entries)
    }

    async fn open_entry(
        &self,
        reader: &Reader,
        (user, room, kind): (i64, i64, &str),
        sealed: &[u8],
    ) -> Result<Box<RawValue>, StoreError> {
        let id = place::entry_row(user, room, kind);
        let keyring = &self.inner.keyring;
        let content = keyring
            .open(reader, place::account_data(&id), sealed)
            .await?;
        serde_json::from_slice(&content)
            .map_err(|error| StoreError::Damaged(format!("an account-data entry: {error}")))
    }

    /// Replaces one entry; a content that stands already changes nothing.
    pub async fn set_account_data(
        &self,
        user: i64,
        room: Option<&RoomId>,
        kind: &str,
        content: &RawValue,
    ) -> Result<(), AccountDataError> {
        let mut intent = Intent::new();
        self.add_account_data(&mut intent, user, room, kind, content)?;
        self.commit(intent).await?;
        Ok(())
    }

    /// Adds the replacement of one entry to an intent.
    pub fn add_account_data(
        &self,
        intent: &mut Intent,
        user: i64,
        room: Option<&RoomId>,
        kind: &str,
        content: &RawValue,
    ) -> Result<Ticket<AccountChanges>, AccountDataError> {
        if kind.is_empty() || model::ids::bounded_clear(kind, MAX_KIND_BYTES).is_err() {
            return Err(AccountDataError::Kind);
        }
        if content.get().len() > MAX_CONTENT_BYTES {
            return Err(AccountDataError::TooLarge);
        }
        let content: Arc<[u8]> = content.get().as_bytes().into();
        let change = EditAccountData {
            user,
            room_id: room.map(ToString::to_string),
            kind: kind.to_owned(),
            size_bytes: content.len(),
            edit: Arc::new(move |_| Ok(content.to_vec())),
        };
        Ok(intent.add::<AccountChanges>(Change::EditAccountData(change)))
    }

    /// Changes one entry, seeing what stands when the change commits.
    pub(crate) async fn edit_account_data(
        &self,
        user: i64,
        room: Option<&RoomId>,
        kind: &'static str,
        edit: Edit,
    ) -> Result<(), Refusal> {
        let change = EditAccountData {
            user,
            room_id: room.map(ToString::to_string),
            kind: kind.to_owned(),
            size_bytes: MAX_CONTENT_BYTES / 4,
            edit,
        };
        self.commit_one(Change::EditAccountData(change), None)
            .await
            .map(drop)
    }
}

/// Refuses an edit for a reason that the editor understands.
pub(crate) fn refuse<E: Send + Sync + 'static>(error: E) -> EditRefusal {
    EditRefusal(Box::new(error))
}

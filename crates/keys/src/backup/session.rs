//! A session's key as clients give it and get it back.

use ruma::{UInt, api::client::backup::KeyBackupData, serde::Raw};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::conflict::Rank;
use crate::limits;

/// The fields of a key; `session_data` is the client's own, whatever the algorithm.
#[derive(Deserialize, Serialize)]
struct Fields<'a> {
    first_message_index: UInt,
    forwarded_count: UInt,
    is_verified: bool,
    #[serde(borrow)]
    session_data: &'a RawValue,
}

/// A key of the right shape.
pub(crate) struct CheckedSession {
    pub(crate) room: String,
    pub(crate) session: String,
    pub(crate) rank: Rank,
    pub(crate) data: String,
}

impl CheckedSession {
    /// Checks a key; `None` when it is malformed or too large.
    pub(crate) fn parse(room: &str, session: &str, key: &Raw<KeyBackupData>) -> Option<Self> {
        let fields: Fields<'_> = serde_json::from_str(key.json().get()).ok()?;
        let data = fields.session_data.get();
        let fits = data.len() <= limits::BACKUP_BYTES && data.starts_with('{');
        (fits && limits::is_id(room) && limits::is_id(session)).then(|| Self {
            room: room.to_owned(),
            session: session.to_owned(),
            rank: Rank {
                is_verified: fields.is_verified,
                first_message_index: fields.first_message_index.into(),
                forwarded_count: fields.forwarded_count.into(),
            },
            data: data.to_owned(),
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

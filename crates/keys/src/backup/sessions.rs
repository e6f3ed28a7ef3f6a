//! The keys in a backup, by room and session.

use std::collections::{BTreeMap, HashMap};

use ruma::{OwnedRoomId, UserId, api::client::backup::KeyBackupData, serde::Raw};
use seal::Place;
use store::{Reader, StoreError};

use super::{
    applier::{BackupChange, Selection},
    session::{CheckedSession, to_json},
    tables::{SessionKey, rank_of, session_place},
    versions::{BackupError, BackupState, count_sessions, damaged, number_of},
};
use crate::{Keys, limits};

/// The keys of a room, by session id.
pub type SessionKeys = BTreeMap<String, Raw<KeyBackupData>>;

/// The keys of many rooms.
pub type RoomKeys = BTreeMap<OwnedRoomId, SessionKeys>;

/// Which keys of a backup.
#[derive(Clone, Debug)]
pub enum RoomKeysSelection {
    /// All.
    All,
    /// Those of one room.
    Room(OwnedRoomId),
    /// That of one session.
    Session(OwnedRoomId, String),
}

impl Keys {
    /// Puts keys into the current version of a backup, where they are better than those there.
    ///
    /// All keys are checked before any is stored. Large uploads are committed in parts; a
    /// client that gets no answer uploads again, and what is there already stays. A version holds
    /// at most 500,000 sessions.
    pub async fn put_room_keys(
        &self,
        user: &UserId,
        version: &str,
        keys: &RoomKeys,
    ) -> Result<BackupState, BackupError> {
        let sessions = check_all(keys)?;
        let number = number_of(version);
        let mut stored = self.state_of(user, number, 0).await?.count;
        let mut etag = 0;
        for sessions in parts_of(sessions) {
            let change = BackupChange::PutSessions {
                user: user.to_string(),
                version: number,
                stored,
                sessions,
            };
            let outcome = self.change_backup(change, |_| {}).await?;
            stored += outcome.added;
            etag = outcome.etag;
        }
        self.state_of(user, number, etag).await
    }

    /// Deletes keys from a version of a backup.
    pub async fn delete_room_keys(
        &self,
        user: &UserId,
        version: &str,
        selection: &RoomKeysSelection,
    ) -> Result<BackupState, BackupError> {
        let snapshot = self.log.database().snapshot().await?;
        let selection = self.select(&snapshot, selection).await?;
        drop(snapshot);
        let number = number_of(version);
        let change = BackupChange::DeleteSessions {
            user: user.to_string(),
            version: number,
            selection,
        };
        let outcome = self.change_backup(change, |_| {}).await?;
        self.state_of(user, number, outcome.etag).await
    }

    /// Reads keys from a version of a backup; rooms and sessions without keys are absent.
    pub async fn room_keys(
        &self,
        user: &UserId,
        version: &str,
        selection: &RoomKeysSelection,
    ) -> Result<RoomKeys, BackupError> {
        const EXISTS: &str =
            "SELECT etag FROM key_backups WHERE user_id = $1 AND version = $2 AND deleted = 0";
        let snapshot = self.log.database().snapshot().await?;
        let user = self.backup_owner(&snapshot, user).await?;
        let version = number_of(version);
        let params = [user.into(), version.into()];
        if snapshot.query_opt(EXISTS, &params).await?.is_none() {
            return Err(BackupError::NoSuchVersion);
        }
        let selection = self.select(&snapshot, selection).await?;
        Ok(self
            .read_sessions(&snapshot, user, version, &selection)
            .await?)
    }

    /// Reads the key of one session.
    pub async fn room_key(
        &self,
        user: &UserId,
        version: &str,
        room: OwnedRoomId,
        session: &str,
    ) -> Result<Raw<KeyBackupData>, BackupError> {
        let selection = RoomKeysSelection::Session(room, session.to_owned());
        let keys = self.room_keys(user, version, &selection).await?;
        let key = keys.into_values().flatten().next();
        key.map(|(_, key)| key).ok_or(BackupError::NoSuchKey)
    }

    async fn read_sessions(
        &self,
        reader: &Reader,
        user: i64,
        version: i64,
        selection: &Selection,
    ) -> Result<RoomKeys, StoreError> {
        const SESSIONS: &str = "SELECT room_id, session_id, is_verified, first_message_index, \
             forwarded_count, sealed FROM key_backup_sessions \
             WHERE user_id = $1 AND version = $2 \
             AND (CAST($3 AS BIGINT) IS NULL OR room_id = CAST($3 AS BIGINT)) \
             AND (CAST($4 AS TEXT) IS NULL OR session_id = CAST($4 AS TEXT))";
        let (room, session) = selection.parts();
        let params = [user.into(), version.into(), room.into(), session.into()];
        let rows = reader.query(SESSIONS, &params).await?;
        let sealed: Vec<&[u8]> = rows
            .iter()
            .map(|row| row.bytes(5))
            .collect::<Result<_, _>>()?;
        let keys = self.keyring.keys_of(reader, sealed).await?;
        let mut rooms: HashMap<i64, SessionKeys> = HashMap::new();
        for row in &rows {
            let (room, session) = (row.int(0)?, row.text(1)?.to_owned());
            let key: SessionKey = (user, version, room, session);
            let place = Place {
                table: "key_backup_sessions",
                column: "sealed",
                id: &session_place(&key),
            };
            let data = keys.open(place, row.bytes(5)?)?;
            let json = to_json(rank_of(row, 2)?, &data).ok_or_else(damaged)?;
            rooms.entry(room).or_default().insert(key.3, json);
        }
        let names = self.log.database().names();
        let mut found = RoomKeys::new();
        for (room, sessions) in rooms {
            let name = names.room_name(reader, room).await?;
            let name = OwnedRoomId::try_from(&*name).map_err(|_| damaged())?;
            found.insert(name, sessions);
        }
        Ok(found)
    }

    async fn select(
        &self,
        reader: &Reader,
        selection: &RoomKeysSelection,
    ) -> Result<Selection, StoreError> {
        let (room, session) = match selection {
            RoomKeysSelection::All => return Ok(Selection::All),
            RoomKeysSelection::Room(room) => (room, None),
            RoomKeysSelection::Session(room, session) => (room, Some(session)),
        };
        let names = self.log.database().names();
        let Some(room) = names.room(reader, room.as_str()).await? else {
            return Ok(Selection::Nothing);
        };
        Ok(match session {
            None => Selection::Room(room),
            Some(session) if limits::is_id(session) => Selection::Session(room, session.clone()),
            Some(_) => Selection::Nothing,
        })
    }

    async fn state_of(
        &self,
        user: &UserId,
        version: i64,
        etag: i64,
    ) -> Result<BackupState, BackupError> {
        let snapshot = self.log.database().snapshot().await?;
        let user = self.backup_owner(&snapshot, user).await?;
        Ok(BackupState {
            count: count_sessions(&snapshot, user, version).await?,
            etag: etag.to_string(),
        })
    }
}

fn check_all(keys: &RoomKeys) -> Result<Vec<CheckedSession>, BackupError> {
    let all = keys
        .iter()
        .flat_map(|(room, sessions)| sessions.iter().map(move |(id, key)| (room, id, key)));
    let checked = all.map(|(room, session, key)| {
        CheckedSession::parse(room.as_str(), session, key)
            .map_err(|why| BackupError::Malformed(format!("session {session}: {why}")))
    });
    checked.collect()
}

/// Cuts sessions into parts that fit into a batch; at least one, so that the version is checked.
fn parts_of(sessions: Vec<CheckedSession>) -> Vec<Vec<CheckedSession>> {
    let mut parts = vec![Vec::new()];
    let mut size_bytes = 0;
    for session in sessions {
        let full = parts.last().is_some_and(|part: &Vec<CheckedSession>| {
            part.len() == limits::BACKUP_CHUNK_SESSIONS
                || (!part.is_empty()
                    && size_bytes + session.size_bytes() > limits::BACKUP_CHUNK_BYTES)
        });
        if full {
            parts.push(Vec::new());
            size_bytes = 0;
        }
        size_bytes += session.size_bytes();
        if let Some(part) = parts.last_mut() {
            part.push(session);
        }
    }
    parts
}

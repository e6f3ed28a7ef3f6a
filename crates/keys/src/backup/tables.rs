//! The rows of backups, and the statements that read and write them.

use store::{ColumnType, Insert, Reader, Row, StoreError};

use super::conflict::Rank;

/// A version of a backup as checks see it.
#[derive(Clone, Debug)]
pub(crate) struct VersionRow {
    pub(crate) algorithm: String,
    pub(crate) etag: i64,
    pub(crate) deleted: bool,
    /// New authentication data, when the batch sets it.
    pub(crate) auth_data: Option<String>,
}

/// A session's place: user, version, room, session id.
pub(crate) type SessionKey = (i64, i64, i64, String);

/// A session's key as checks see it.
#[derive(Clone, Debug)]
pub(crate) struct SessionRow {
    pub(crate) rank: Rank,
    /// What is to be written; empty when the row was only read.
    pub(crate) data: String,
}

/// Reads all versions of a user's backups, deleted ones too.
pub(crate) async fn load_versions(
    reader: &Reader,
    user: i64,
) -> Result<Vec<((i64, i64), VersionRow)>, StoreError> {
    const VERSIONS: &str =
        "SELECT version, algorithm, etag, deleted FROM key_backups WHERE user_id = $1";
    let rows = reader.query(VERSIONS, &[user.into()]).await?;
    let versions = rows.iter().map(|row| {
        let version = VersionRow {
            algorithm: row.text(1)?.to_owned(),
            etag: row.int(2)?,
            deleted: row.flag(3)?,
            auth_data: None,
        };
        Ok(((user, row.int(0)?), version))
    });
    versions.collect()
}

/// Reads what decides whether a session's key is replaced.
pub(crate) async fn load_session(
    reader: &Reader,
    key: SessionKey,
) -> Result<Option<(SessionKey, SessionRow)>, StoreError> {
    const SESSION: &str = "SELECT is_verified, first_message_index, forwarded_count \
         FROM key_backup_sessions \
         WHERE user_id = $1 AND version = $2 AND room_id = $3 AND session_id = $4";
    let (user, version, room, session) = &key;
    let params = [
        (*user).into(),
        (*version).into(),
        (*room).into(),
        session.as_str().into(),
    ];
    let Some(row) = reader.query_opt(SESSION, &params).await? else {
        return Ok(None);
    };
    let session = SessionRow {
        rank: rank_of(&row, 0)?,
        data: String::new(),
    };
    Ok(Some((key, session)))
}

/// The rank in three columns of a row, from `first`.
pub(crate) fn rank_of(row: &Row, first: usize) -> Result<Rank, StoreError> {
    Ok(Rank {
        is_verified: row.flag(first)?,
        first_message_index: row.int(first + 1)?,
        forwarded_count: row.int(first + 2)?,
    })
}

pub(crate) static PUT_VERSIONS: Insert = Insert {
    table: "key_backups",
    columns: &[
        ("user_id", ColumnType::Int),
        ("version", ColumnType::Int),
        ("algorithm", ColumnType::Text),
        ("auth_data", ColumnType::Bytes),
        ("etag", ColumnType::Int),
        ("deleted", ColumnType::Int),
    ],
    // Where nothing is given, the authentication data stays, unless the version is deleted.
    on_conflict: "ON CONFLICT (user_id, version) DO UPDATE SET \
        auth_data = CASE WHEN excluded.deleted = 1 THEN NULL \
            ELSE COALESCE(excluded.auth_data, key_backups.auth_data) END, \
        etag = excluded.etag, deleted = excluded.deleted",
};

pub(crate) static PUT_SESSIONS: Insert = Insert {
    table: "key_backup_sessions",
    columns: &[
        ("user_id", ColumnType::Int),
        ("version", ColumnType::Int),
        ("room_id", ColumnType::Int),
        ("session_id", ColumnType::Text),
        ("first_message_index", ColumnType::Int),
        ("forwarded_count", ColumnType::Int),
        ("is_verified", ColumnType::Int),
        ("sealed", ColumnType::Bytes),
    ],
    on_conflict: "ON CONFLICT (user_id, version, room_id, session_id) DO UPDATE SET \
        first_message_index = excluded.first_message_index, \
        forwarded_count = excluded.forwarded_count, is_verified = excluded.is_verified, \
        sealed = excluded.sealed",
};

/// Where a version's authentication data is sealed.
pub(crate) fn version_place(user: i64, version: i64) -> String {
    format!("{user}/{version}")
}

/// Where a session's data is sealed.
pub(crate) fn session_place((user, version, room, session): &SessionKey) -> String {
    format!("{user}/{version}/{room}/{session}")
}

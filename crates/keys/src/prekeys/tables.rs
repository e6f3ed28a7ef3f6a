//! The rows of one-time and fallback keys, and the statements that read and write them.

use store::{ColumnType, Insert, Reader, Row, StoreError};

/// A one-time key's place: user, device, algorithm, key id.
pub(crate) type OneTimeKey = (i64, String, String, String);

/// A fallback key's place: user, device, algorithm.
pub(crate) type FallbackKey = (i64, String, String);

/// The content of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// As it stands in the database.
    Sealed(Vec<u8>),
    /// As it was uploaded in this batch.
    Plain(String),
    /// Given away.
    Gone,
}

/// A one-time key as checks see it.
#[derive(Clone, Debug)]
pub(crate) struct OneTimeRow {
    pub(crate) digest: Vec<u8>,
    pub(crate) content: Content,
    pub(crate) pos: i64,
    pub(crate) claimed_pos: Option<i64>,
}

/// A fallback key as checks see it.
#[derive(Clone, Debug)]
pub(crate) struct FallbackRow {
    pub(crate) key_id: String,
    pub(crate) digest: Vec<u8>,
    pub(crate) content: Content,
    pub(crate) used: bool,
    pub(crate) pos: i64,
}

/// What a batch needs to know of a user's or a device's keys.
#[derive(Default)]
pub(crate) struct PrekeyRows {
    pub(crate) one_time: Vec<(OneTimeKey, OneTimeRow)>,
    pub(crate) fallback: Vec<(FallbackKey, FallbackRow)>,
}

/// Reads all keys of a device, or of all devices of a user.
pub(crate) async fn load_all(
    reader: &Reader,
    user: i64,
    device: &str,
) -> Result<PrekeyRows, StoreError> {
    const ONE_TIME: &str = "SELECT device_id, algorithm, key_id, digest, sealed, pos, claimed_pos \
         FROM one_time_keys WHERE user_id = $1 AND device_id = $2";
    let params = [user.into(), device.into()];
    let (one_time, fallback) = futures_util::try_join!(
        reader.query(ONE_TIME, &params),
        load_fallback(reader, user, device)
    )?;
    let one_time = one_time.iter().map(|row| one_time_of(user, row));
    Ok(PrekeyRows {
        one_time: one_time.collect::<Result<_, _>>()?,
        fallback,
    })
}

/// Reads the oldest one-time keys of a device that are still there, and its fallback keys.
pub(crate) async fn load_oldest(
    reader: &Reader,
    user: i64,
    device: &str,
    algorithm: &str,
    limit: i64,
) -> Result<PrekeyRows, StoreError> {
    const OLDEST: &str = "SELECT device_id, algorithm, key_id, digest, sealed, pos, claimed_pos \
         FROM one_time_keys WHERE user_id = $1 AND device_id = $2 AND algorithm = $3 \
         AND claimed_pos IS NULL ORDER BY pos, key_id LIMIT $4";
    let params = [user.into(), device.into(), algorithm.into(), limit.into()];
    let (one_time, fallback) = futures_util::try_join!(
        reader.query(OLDEST, &params),
        load_fallback(reader, user, device)
    )?;
    let one_time = one_time.iter().map(|row| one_time_of(user, row));
    Ok(PrekeyRows {
        one_time: one_time.collect::<Result<_, _>>()?,
        fallback,
    })
}

async fn load_fallback(
    reader: &Reader,
    user: i64,
    device: &str,
) -> Result<Vec<(FallbackKey, FallbackRow)>, StoreError> {
    const FALLBACK: &str = "SELECT device_id, algorithm, key_id, digest, sealed, used, pos \
         FROM fallback_keys WHERE user_id = $1 AND device_id = $2";
    let rows = reader
        .query(FALLBACK, &[user.into(), device.into()])
        .await?;
    rows.iter().map(|row| fallback_of(user, row)).collect()
}

fn one_time_of(user: i64, row: &Row) -> Result<(OneTimeKey, OneTimeRow), StoreError> {
    let [device, algorithm, key_id] = [row.text(0)?, row.text(1)?, row.text(2)?].map(str::to_owned);
    let sealed = row.opt_bytes(4)?;
    let content = OneTimeRow {
        digest: row.bytes(3)?.to_vec(),
        content: sealed.map_or(Content::Gone, |sealed| Content::Sealed(sealed.to_vec())),
        pos: row.int(5)?,
        claimed_pos: row.opt_int(6)?,
    };
    Ok(((user, device, algorithm, key_id), content))
}

fn fallback_of(user: i64, row: &Row) -> Result<(FallbackKey, FallbackRow), StoreError> {
    let [device, algorithm] = [row.text(0)?, row.text(1)?].map(str::to_owned);
    let content = FallbackRow {
        key_id: row.text(2)?.to_owned(),
        digest: row.bytes(3)?.to_vec(),
        content: Content::Sealed(row.bytes(4)?.to_vec()),
        used: row.flag(5)?,
        pos: row.int(6)?,
    };
    Ok(((user, device, algorithm), content))
}

pub(crate) static PUT_ONE_TIME: Insert = Insert {
    table: "one_time_keys",
    columns: &[
        ("user_id", ColumnType::Int),
        ("device_id", ColumnType::Text),
        ("algorithm", ColumnType::Text),
        ("key_id", ColumnType::Text),
        ("digest", ColumnType::Bytes),
        ("sealed", ColumnType::Bytes),
        ("pos", ColumnType::Int),
        ("claimed_pos", ColumnType::Int),
    ],
    on_conflict: "ON CONFLICT (user_id, device_id, algorithm, key_id) DO UPDATE SET \
        digest = excluded.digest, sealed = excluded.sealed, pos = excluded.pos, \
        claimed_pos = excluded.claimed_pos",
};

pub(crate) static PUT_FALLBACK: Insert = Insert {
    table: "fallback_keys",
    columns: &[
        ("user_id", ColumnType::Int),
        ("device_id", ColumnType::Text),
        ("algorithm", ColumnType::Text),
        ("key_id", ColumnType::Text),
        ("digest", ColumnType::Bytes),
        ("sealed", ColumnType::Bytes),
        ("used", ColumnType::Int),
        ("pos", ColumnType::Int),
    ],
    on_conflict: "ON CONFLICT (user_id, device_id, algorithm) DO UPDATE SET \
        key_id = excluded.key_id, digest = excluded.digest, sealed = excluded.sealed, \
        used = excluded.used, pos = excluded.pos",
};

pub(crate) const DROP_ONE_TIME: &str = "DELETE FROM one_time_keys \
     WHERE user_id = $1 AND device_id = $2 AND algorithm = $3 AND key_id = $4";
pub(crate) const DROP_FALLBACK: &str =
    "DELETE FROM fallback_keys WHERE user_id = $1 AND device_id = $2 AND algorithm = $3";

/// All keys of a device, or with NULL of all devices of a user.
pub(crate) const DROP_ALL_ONE_TIME: &str = "DELETE FROM one_time_keys WHERE user_id = $1 \
     AND (CAST($2 AS TEXT) IS NULL OR device_id = CAST($2 AS TEXT))";
pub(crate) const DROP_ALL_FALLBACK: &str = "DELETE FROM fallback_keys WHERE user_id = $1 \
     AND (CAST($2 AS TEXT) IS NULL OR device_id = CAST($2 AS TEXT))";

/// What a restore makes of all keys that may have been given away since the backup.
pub(crate) const DROP_UNCLAIMED: &str = "DELETE FROM one_time_keys WHERE claimed_pos IS NULL";
pub(crate) const USE_FALLBACK: &str = "UPDATE fallback_keys SET used = 1 WHERE used = 0";

/// Where a key is sealed.
pub(crate) fn prekey_place(user: i64, device: &str, algorithm: &str, key_id: &str) -> String {
    format!("{user}/{device}/{algorithm}:{key_id}")
}

//! Opening records for people to read, newest first.

use model::time::Timestamp;
use seal::{KeySet, Keyring};
use store::{Pos, Reader, Row, StoreError};

use crate::{Record, chain::SALT_BYTES, trail::with_place};

/// How many records one page has at most.
const LARGEST_PAGE: u32 = 500;

const READ_BEFORE: &str = "SELECT seq, pos, at, sealed FROM audit_records \
     WHERE seq < $1 ORDER BY seq DESC LIMIT $2";

/// Which records are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Only records with smaller numbers; `None` begins at the newest.
    pub before: Option<i64>,
    /// How many, at most 500.
    pub limit: u32,
}

/// A record as it stands in the trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub seq: i64,
    /// Its position in the log.
    pub pos: Pos,
    /// When it was committed.
    pub at: Timestamp,
    /// What it says.
    pub content: Content,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// This.
    Recorded(Box<Record>),
    /// Nothing any more: it was erased.
    Erased,
    /// It does not open, or is not understood: verifying tells whether it was altered.
    Unreadable,
}

/// Opens a page of records, newest first.
pub async fn list(
    reader: &Reader,
    keyring: &Keyring,
    page: Page,
) -> Result<Vec<Entry>, StoreError> {
    let before = page.before.unwrap_or(i64::MAX);
    let limit = i64::from(page.limit.min(LARGEST_PAGE));
    let rows = reader
        .query(READ_BEFORE, &[before.into(), limit.into()])
        .await?;
    let sealed = rows
        .iter()
        .filter_map(|row| row.opt_bytes(3).ok().flatten());
    let keys = keyring.keys_of(reader, sealed).await?;
    rows.iter().map(|row| entry(row, &keys)).collect()
}

fn entry(row: &Row, keys: &KeySet) -> Result<Entry, StoreError> {
    let seq = row.int(0)?;
    let content = match row.opt_bytes(3)? {
        None => Content::Erased,
        Some(sealed) => read(seq, sealed, keys).map_or(Content::Unreadable, |record| {
            Content::Recorded(Box::new(record))
        }),
    };
    Ok(Entry {
        seq,
        pos: Pos::new(row.int(1)?),
        at: Timestamp::from_millis(row.int(2)?),
        content,
    })
}

fn read(seq: i64, sealed: &[u8], keys: &KeySet) -> Option<Record> {
    let salted = with_place(seq, |place| keys.open(place, sealed)).ok()?;
    serde_json::from_slice(salted.get(SALT_BYTES..)?).ok()
}

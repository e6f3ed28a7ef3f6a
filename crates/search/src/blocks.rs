//! Reading blocks of the index.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use store::{Reader, Row, StoreError, Value};

use crate::{block::Block, room_index::RoomIndex, statement::ManyRows};

/// Of each room and token the block in which a place stands, or the last one before it. `CROSS JOIN`
/// is taken in this order; left to choose, SQLite reads all blocks as soon as many are wanted.
static AROUND: ManyRows = ManyRows::new(
    "WITH wanted (room, token, ord) AS (VALUES ",
    "), placed (room, token, first) AS MATERIALIZED (SELECT w.room, w.token, \
     (SELECT MAX(q.first) FROM search_postings q WHERE q.room = w.room AND q.token = w.token \
     AND q.first <= w.ord) FROM wanted w) \
     SELECT p.room, p.token, p.first, p.postings FROM placed CROSS JOIN search_postings p \
     WHERE p.room = placed.room AND p.token = placed.token \
     AND p.first = placed.first",
    3,
);

const BACKWARD: &str = "SELECT first, postings FROM search_postings \
     WHERE room = $1 AND token = $2 AND first <= $3 ORDER BY first DESC LIMIT $4";

/// A room, a token, and a place in the room's timeline.
pub(crate) type Wanted = (i64, i64, i64);

/// A room, a token, and where a block begins.
pub(crate) type Key = (i64, i64, i64);

/// The indexes of rooms, by their integers.
pub(crate) type Indexes = HashMap<i64, Arc<RoomIndex>>;

/// The blocks in which these places stand, or would, by room, token and where they begin.
pub(crate) async fn around(
    reader: &Reader,
    indexes: &Indexes,
    wanted: &[Wanted],
) -> Result<HashMap<Key, Block>, StoreError> {
    let values = |wanted: &Wanted| [wanted.0.into(), wanted.1.into(), wanted.2.into()];
    let values: Vec<Value> = wanted.iter().flat_map(values).collect();
    let mut found = HashMap::new();
    for (sql, params) in AROUND.padded(values) {
        for row in reader.query(sql, &params).await? {
            let key = key_in(&row)?;
            if let Some(index) = indexes.get(&key.0) {
                found.insert(key, index.open_block(key, row.bytes(3)?)?);
            }
        }
    }
    Ok(found)
}

/// Blocks from the one in which a place stands backwards, at most `limit`: where each begins, and
/// what stands in it, sealed.
pub(crate) async fn backward(
    reader: &Reader,
    (room, token, ord): Wanted,
    limit: i64,
) -> Result<VecDeque<(i64, Vec<u8>)>, StoreError> {
    let params = [room.into(), token.into(), ord.into(), limit.into()];
    let rows = reader.query(BACKWARD, &params).await?;
    let rows = rows.iter();
    rows.map(|row| Ok((row.int(0)?, row.bytes(1)?.to_vec())))
        .collect()
}

fn key_in(row: &Row) -> Result<Key, StoreError> {
    Ok((row.int(0)?, row.int(1)?, row.int(2)?))
}

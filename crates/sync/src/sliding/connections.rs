//! Where connections are kept: a table outside the log, and memory.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use model::time::Timestamp;
use moka::sync::Cache;
use store::{LocalWrite, Log, Reader, StoreError};

use super::known::Known;
use crate::Syncer;

/// How many rooms of connections are kept in memory, together.
const CACHED: u64 = 2_000_000;

/// After how long a connection is forgotten that nobody has changed.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// How often a node looks for what is to be forgotten.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);

const READ: &str = "SELECT known FROM sliding_connections \
     WHERE user_id = $1 AND device_id = $2 AND name = $3 AND generation = $4";

/// The next generation; none when another request has just taken it.
const WRITE: &str = "INSERT INTO sliding_connections \
     (user_id, device_id, name, generation, made_at, known) \
     SELECT CAST($1 AS BIGINT), CAST($2 AS TEXT), CAST($3 AS TEXT), \
     COALESCE(MAX(c.generation), 0) + 1, CAST($4 AS BIGINT), CAST($5 AS TEXT) \
     FROM sliding_connections c WHERE c.user_id = $1 AND c.device_id = $2 AND c.name = $3 \
     ON CONFLICT DO NOTHING RETURNING generation";

/// All but the last two of a connection, and the one that the client comes from.
const FORGET_OLD: &str = "DELETE FROM sliding_connections \
     WHERE user_id = $1 AND device_id = $2 AND name = $3 AND generation <> $4 \
     AND generation < (SELECT MAX(c.generation) FROM sliding_connections c \
     WHERE c.user_id = $1 AND c.device_id = $2 AND c.name = $3) - 1";

/// All but the last 16 connections of a device.
const FORGET_OTHERS: &str = "DELETE FROM sliding_connections \
     WHERE user_id = $1 AND device_id = $2 AND name NOT IN (SELECT c.name \
     FROM sliding_connections c WHERE c.user_id = $1 AND c.device_id = $2 \
     GROUP BY c.name ORDER BY MAX(c.made_at) DESC, c.name LIMIT 16)";

const SWEEP: &str = "DELETE FROM sliding_connections WHERE made_at < $1";

/// How often a generation is asked for while other requests take it.
const TRIES: usize = 8;

/// A user's integer, a device, the name of its connection, and which state of it.
type Key = (i64, String, String, i64);

/// What clients know, by connection. A generation is written once and never changed, so what is in
/// memory is true on every node.
pub(crate) struct Connections {
    cached: Cache<Key, Arc<Known>>,
    swept_at: AtomicI64,
}

impl Connections {
    pub(crate) fn new() -> Self {
        let weight = |known: &Known| u32::try_from(known.rooms.len()).unwrap_or(u32::MAX);
        let cached = Cache::builder()
            .max_capacity(CACHED)
            .weigher(move |_: &Key, known: &Arc<Known>| weight(known).saturating_add(8))
            .build();
        Self {
            cached,
            swept_at: AtomicI64::new(0),
        }
    }

    /// What was kept of a connection.
    pub(crate) async fn read(
        &self,
        reader: &Reader,
        (syncer, name): (Syncer<'_>, &str),
        generation: i64,
    ) -> Result<Option<Arc<Known>>, StoreError> {
        let key = key(syncer, name, generation);
        if let Some(known) = self.cached.get(&key) {
            return Ok(Some(known));
        }
        let device = syncer.device_id.as_str();
        let params = [
            syncer.user.into(),
            device.into(),
            name.into(),
            generation.into(),
        ];
        let Some(row) = reader.query_opt(READ, &params).await? else {
            return Ok(None);
        };
        let known = Known::from_text(row.text(0)?).map(Arc::new);
        if let Some(known) = &known {
            self.cached.insert(key, Arc::clone(known));
        }
        Ok(known)
    }

    /// Keeps what a client will know; gives the generation under which it is found.
    pub(crate) async fn write(
        &self,
        log: &Log,
        (syncer, name): (Syncer<'_>, &str),
        before: Option<i64>,
        known: Known,
        now: Timestamp,
    ) -> Result<i64, StoreError> {
        let text = known.to_text();
        let device = syncer.device_id.as_str();
        for _ in 0..TRIES {
            let connection = [syncer.user.into(), device.into(), name.into()];
            let with = |more: &[store::Value]| [&connection[..], more].concat();
            let mut write = LocalWrite::new()
                .and(WRITE, with(&[now.as_millis().into(), text.as_str().into()]))
                .and(FORGET_OLD, with(&[before.unwrap_or(0).into()]))
                .and(FORGET_OTHERS, connection[..2].to_vec());
            if let Some(until) = self.is_time_to_sweep(now) {
                write = write.and(SWEEP, vec![until.as_millis().into()]);
            }
            let rows = log.write_local(write).await?;
            let Some(row) = rows.first().and_then(|rows| rows.first()) else {
                continue;
            };
            let generation = row.int(0)?;
            let key = key(syncer, name, generation);
            self.cached.insert(key, Arc::new(known));
            return Ok(generation);
        }
        let sentence = "too many requests at once on one connection".to_owned();
        Err(StoreError::Unavailable(sentence))
    }

    /// Before when everything is forgotten, if it has not been looked for lately.
    fn is_time_to_sweep(&self, now: Timestamp) -> Option<Timestamp> {
        let last = Timestamp::from_millis(self.swept_at.load(Ordering::Relaxed));
        if now.since(last) < SWEEP_EVERY {
            return None;
        }
        self.swept_at.store(now.as_millis(), Ordering::Relaxed);
        Some(now.minus(KEPT))
    }
}

fn key(syncer: Syncer<'_>, name: &str, generation: i64) -> Key {
    let device = syncer.device_id.to_string();
    (syncer.user, device, name.to_owned(), generation)
}

//! [`Outbox`]: where letters are put, and what waits.

use std::{sync::Arc, time::Duration};

use model::{entropy::Entropy, time::Timestamp};
use parking_lot::Mutex;
use store::{ColumnType, Insert, LeasedCursor, LocalWrite, Log, Pos, StoreError};
use tokio::sync::Notify;

/// Who waits for letters of a lane on this node, by the lane's name.
type Wakers = Vec<(&'static str, Arc<Notify>)>;

/// What waits to leave. Cheap to clone.
#[derive(Clone)]
pub struct Outbox {
    pub(crate) log: Log,
    pub(crate) entropy: Arc<dyn Entropy>,
    wakers: Arc<Mutex<Wakers>>,
}

/// Targets of a lane that do not take what waits for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The lane.
    pub lane: String,
    /// How many letters wait.
    pub letters: i64,
    /// For how many targets.
    pub targets: i64,
    /// How many of these failed the last time.
    pub failing: i64,
    /// How many letters were given up.
    pub dead: i64,
}

static LETTERS: Insert = Insert {
    table: "outbox",
    columns: &[
        ("lane", ColumnType::Text),
        ("target", ColumnType::Text),
        ("pos", ColumnType::Int),
        ("queued_at", ColumnType::Int),
    ],
    on_conflict: "ON CONFLICT (lane, target, pos) DO NOTHING",
};

static TARGETS: Insert = Insert {
    table: "outbox_targets",
    columns: &[
        ("lane", ColumnType::Text),
        ("target", ColumnType::Text),
        ("next_at", ColumnType::Int),
        ("failures", ColumnType::Int),
    ],
    on_conflict: "ON CONFLICT (lane, target) DO NOTHING",
};

const WAITING: &str = "SELECT lane, CAST(SUM(letters) AS BIGINT), CAST(SUM(targets) AS BIGINT), \
     CAST(SUM(failing) AS BIGINT), CAST(SUM(dead) AS BIGINT) FROM ( \
     SELECT lane, COUNT(*) AS letters, 0 AS targets, 0 AS failing, 0 AS dead \
     FROM outbox GROUP BY lane UNION ALL \
     SELECT lane, 0, COUNT(*), COUNT(*) FILTER (WHERE failures > 0), 0 \
     FROM outbox_targets GROUP BY lane UNION ALL \
     SELECT lane, 0, 0, 0, COUNT(*) FROM outbox_dead GROUP BY lane) w GROUP BY lane ORDER BY lane";

const HASTEN: &str = "UPDATE outbox_targets SET next_at = $3 WHERE lane = $1 AND target = $2";

impl Outbox {
    /// Puts it together over the log.
    pub fn new(log: Log, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            log,
            entropy,
            wakers: Arc::default(),
        }
    }

    /// Adds letters to a write of the lane's worker: each tells a target of a change.
    ///
    /// The same letter again changes nothing. [Wake](Self::wake) the lane when it is written.
    pub fn put(
        &self,
        write: LocalWrite,
        lane: &'static str,
        letters: impl IntoIterator<Item = (String, Pos)>,
    ) -> LocalWrite {
        let now = self.now().as_millis();
        let (mut rows, mut targets) = (Vec::new(), Vec::new());
        for (target, pos) in letters {
            rows.push(vec![
                lane.into(),
                target.as_str().into(),
                pos.get().into(),
                now.into(),
            ]);
            targets.push(target);
        }
        targets.sort_unstable();
        targets.dedup();
        let targets = targets.into_iter();
        let targets = targets.map(|target| vec![lane.into(), target.into(), now.into(), 0.into()]);
        let targets: Vec<_> = targets.collect();
        if rows.is_empty() {
            return write;
        }
        write
            .and_insert(&LETTERS, rows)
            .and_insert(&TARGETS, targets)
    }

    /// Puts the letters that a lane's worker has for the changes up to a position, moves its cursor
    /// there with them, and has them carried.
    pub async fn put_up_to(
        &self,
        cursor: &LeasedCursor,
        pos: Pos,
        lane: &'static str,
        letters: Vec<(String, Pos)>,
    ) -> Result<(), StoreError> {
        if letters.is_empty() {
            cursor.pass(pos);
            return Ok(());
        }
        let write = self.put(LocalWrite::new(), lane, letters);
        cursor.write(write, pos).await?;
        self.wake(lane);
        Ok(())
    }

    /// Lets what carries a lane's letters on this node look now.
    pub fn wake(&self, lane: &'static str) {
        self.waker(lane).notify_one();
    }

    /// Has what waits for a target tried again after so long, whatever came of it before or comes
    /// of what is on its way: the target has shown that it is there.
    pub async fn hasten(
        &self,
        lane: &'static str,
        target: &str,
        after: Duration,
    ) -> Result<(), StoreError> {
        let at = self.now().plus(after).as_millis();
        let params = vec![lane.into(), target.into(), at.into()];
        let write = LocalWrite::new().and(HASTEN, params);
        match LeasedCursor::write_beside(&self.log, lease_of(lane), write).await {
            // Nobody ever worked on this lane.
            Ok(_) | Err(StoreError::TakenOver) => {}
            Err(error) => return Err(error),
        }
        self.wake(lane);
        Ok(())
    }

    pub(crate) fn waker(&self, lane: &'static str) -> Arc<Notify> {
        let mut wakers = self.wakers.lock();
        if let Some((_, waker)) = wakers.iter().find(|(name, _)| *name == lane) {
            return Arc::clone(waker);
        }
        let waker = Arc::new(Notify::new());
        wakers.push((lane, Arc::clone(&waker)));
        waker
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.log.clock().now()
    }

    /// How much waits in each lane, and how much was given up.
    pub async fn waiting(&self) -> Result<Vec<Waiting>, StoreError> {
        let rows = self.log.database().query(WAITING, &[]).await?;
        let waiting = rows.iter().map(|row| {
            Ok(Waiting {
                lane: row.text(0)?.to_owned(),
                letters: row.int(1)?,
                targets: row.int(2)?,
                failing: row.int(3)?,
                dead: row.int(4)?,
            })
        });
        waiting.collect()
    }
}

/// Under which lease the letters of a lane are carried.
pub(crate) fn lease_of(lane: &str) -> &str {
    lane.split_once('.').map_or(lane, |(lease, _)| lease)
}

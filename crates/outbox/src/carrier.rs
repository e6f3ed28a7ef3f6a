//! Carrying letters: who is due, many targets at once, each in order.

use std::{
    collections::HashSet,
    pin::{Pin, pin},
    time::Duration,
};

use futures_util::{
    FutureExt,
    future::{Either, Future, select},
    stream::{FuturesUnordered, StreamExt},
};
use model::time::Timestamp;
use store::{LeasedCursor, LocalWrite, Pos, Row, StoreError, Value};

use crate::{Delivered, Lane, Letter, Outbox, Then, backoff, metrics};

/// How many targets are served at the same time.
const AT_ONCE: usize = 64;

/// How often it looks even if nothing tells it to.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// For how long dead letters are kept.
const KEEP_DEAD: Duration = Duration::from_secs(30 * 24 * 3_600);

/// How much of a fault is kept.
const MAX_FAULT_CHARS: usize = 200;

/// A target is due at its time; also when that is so far off that the clock must have jumped.
const DUE: &str = "SELECT target, failures, next_at FROM outbox_targets \
     WHERE lane = $1 AND (next_at <= $2 OR next_at > $3) ORDER BY next_at LIMIT $4";

const NEXT: &str = "SELECT MIN(next_at) FROM outbox_targets WHERE lane = $1 AND next_at > $2";

const WAITING: &str = "SELECT pos, queued_at FROM outbox WHERE lane = $1 AND target = $2 \
     ORDER BY pos LIMIT $3";

const DONE: &str = "DELETE FROM outbox WHERE lane = $1 AND target = $2 AND pos <= $3";

const WENT_WELL: &str = "UPDATE outbox_targets SET failures = 0, failing_since = NULL, \
     fault = NULL, next_at = $3 WHERE lane = $1 AND target = $2";

/// Whom somebody has hastened meanwhile stays due then, whatever came of this.
const FAILED: &str = "UPDATE outbox_targets SET failures = failures + 1, \
     failing_since = COALESCE(failing_since, CAST($3 AS BIGINT)), \
     next_at = CASE WHEN next_at > $6 THEN next_at ELSE $4 END, fault = $5 \
     WHERE lane = $1 AND target = $2";

/// The same for whom it is not time yet.
const WAITS: &str = "UPDATE outbox_targets SET \
     next_at = CASE WHEN next_at > $4 THEN next_at ELSE $3 END WHERE lane = $1 AND target = $2";

/// Gives up what stands at a position, or was queued before a moment.
const GIVE_UP: &str = "INSERT INTO outbox_dead (lane, target, pos, queued_at, died_at, fault) \
     SELECT lane, target, pos, queued_at, CAST($5 AS BIGINT), CAST($6 AS TEXT) FROM outbox \
     WHERE lane = $1 AND target = $2 AND (pos = $3 OR queued_at < $4) \
     ON CONFLICT (lane, target, pos) DO UPDATE SET died_at = excluded.died_at, \
     fault = excluded.fault";

const TAKE_AWAY: &str = "DELETE FROM outbox WHERE lane = $1 AND target = $2 \
     AND (pos = $3 OR queued_at < $4)";

const FORGET_OLD: &str = "DELETE FROM outbox_dead WHERE lane = $1 AND died_at < $2";

const DROP: &str = "DELETE FROM outbox WHERE lane = $1 AND target = $2";

/// Nothing waits for the target any more.
const NOTHING_WAITS: &str = "DELETE FROM outbox_targets WHERE lane = $1 AND target = $2 \
     AND NOT EXISTS (SELECT 1 FROM outbox WHERE lane = $1 AND target = $2)";

/// No position of the log.
const NONE: i64 = 0;

/// A target that is to be served.
struct Due {
    target: String,
    /// How often in a row it failed.
    failures: i64,
    /// Since when it is due, in milliseconds.
    since: i64,
}

/// A target that is being served; gives its name when that is over.
type Serving<'a> = Pin<Box<dyn Future<Output = Result<String, StoreError>> + Send + 'a>>;

impl Outbox {
    /// Carries the letters of a lane, for as long as it is polled and the lane's lease is held.
    ///
    /// Dropping it loses nothing: whoever goes on delivers again what was not noted.
    ///
    /// # Errors
    ///
    /// The store's: the work begins again.
    pub async fn carry<L: Lane>(&self, lane: &L, cursor: &LeasedCursor) -> Result<(), StoreError> {
        let waker = self.waker(L::NAME);
        let mut serving: FuturesUnordered<Serving<'_>> = FuturesUnordered::new();
        let mut served: HashSet<String> = HashSet::new();
        loop {
            let woken = pin!(waker.notified());
            let mut wait = LOOK_EVERY;
            if serving.len() < AT_ONCE {
                let before = served.clone();
                let looking = self.look::<L>(AT_ONCE + served.len());
                let (due, next) = while_serving(&mut serving, &mut served, looking).await??;
                let mut is_stale = false;
                for due in due {
                    // Who was served while this was read may be due no longer.
                    if before.contains(&due.target) {
                        is_stale |= !served.contains(&due.target);
                    } else if serving.len() < AT_ONCE && served.insert(due.target.clone()) {
                        serving.push(self.serve(lane, cursor, due).boxed());
                    }
                }
                if is_stale {
                    continue;
                }
                wait = next.min(wait);
            }
            let idle = select(woken, self.log.clock().sleep(wait));
            if serving.is_empty() {
                idle.await;
                continue;
            }
            if let Either::Left((Some(over), _)) = select(serving.next(), idle).await {
                served.remove(&over?);
            }
        }
    }

    /// Who is due, and when somebody is next.
    async fn look<L: Lane>(&self, limit: usize) -> Result<(Vec<Due>, Duration), StoreError> {
        Ok((self.due::<L>(limit).await?, self.until_next::<L>().await?))
    }

    async fn due<L: Lane>(&self, limit: usize) -> Result<Vec<Due>, StoreError> {
        let now = self.now();
        let params = [
            L::NAME.into(),
            now.as_millis().into(),
            // Longer than this nobody is ever made to wait.
            now.plus(2 * backoff::LONGEST_OF_ALL).as_millis().into(),
            i64::try_from(limit).unwrap_or(i64::MAX).into(),
        ];
        let rows = self.log.database().query(DUE, &params).await?;
        let due = rows.iter().map(|row| {
            Ok(Due {
                target: row.text(0)?.to_owned(),
                failures: row.int(1)?,
                since: row.int(2)?,
            })
        });
        due.collect()
    }

    async fn until_next<L: Lane>(&self) -> Result<Duration, StoreError> {
        let now = self.now();
        let params = [L::NAME.into(), now.as_millis().into()];
        let row = self.log.database().query_opt(NEXT, &params).await?;
        let next = row.map_or(Ok(None), |row| row.opt_int(0))?;
        Ok(next.map_or(LOOK_EVERY, |next| Timestamp::from_millis(next).since(now)))
    }

    /// Delivers some letters of one target, and notes what became of them.
    async fn serve<L: Lane>(
        &self,
        lane: &L,
        cursor: &LeasedCursor,
        due: Due,
    ) -> Result<String, StoreError> {
        let params = [
            L::NAME.into(),
            due.target.as_str().into(),
            i64::from(L::TOGETHER.max(1)).into(),
        ];
        let rows = self.log.database().query(WAITING, &params).await?;
        let letters = rows.iter().map(letter).collect::<Result<Vec<_>, _>>()?;
        let delivered = match letters.is_empty() {
            true => Delivered::all(&letters),
            false => match lane.deliver(&due.target, &letters).await {
                Ok(delivered) => delivered,
                Err(error) => {
                    let source: &dyn std::error::Error = &error;
                    tracing::warn!(lane = L::NAME, error = source, "a delivery is tried again");
                    Delivered {
                        done: 0,
                        then: Then::TryAgain {
                            fault: "the database failed".to_owned(),
                            after: None,
                        },
                    }
                }
            },
        };
        let write = self.outcome::<L>(&due, &letters, &delivered);
        cursor.write_here(write).await?;
        Ok(due.target)
    }

    /// What is to be written of an outcome.
    fn outcome<L: Lane>(&self, due: &Due, letters: &[Letter], delivered: &Delivered) -> LocalWrite {
        let now = self.now();
        let with = |more: Vec<Value>| {
            let mut params = vec![L::NAME.into(), due.target.as_str().into()];
            params.extend(more);
            params
        };
        let (done, rest) = letters.split_at(delivered.done.min(letters.len()));
        metrics::settled(L::NAME, "delivered", done.len());
        let mut write = LocalWrite::new();
        if let Some(last) = done.last() {
            write = write.and(DONE, with(vec![last.pos.get().into()]));
        }
        let gives_up = |write: LocalWrite, pos: i64, before: Timestamp, fault: &str| {
            let (pos, before): (Value, Value) = (pos.into(), before.as_millis().into());
            let dead = vec![
                pos.clone(),
                before.clone(),
                now.as_millis().into(),
                shortened(fault).into(),
            ];
            let kept_since = now.minus(KEEP_DEAD).as_millis();
            write
                .and(GIVE_UP, with(dead))
                .and(TAKE_AWAY, with(vec![pos, before]))
                .and(FORGET_OLD, vec![L::NAME.into(), kept_since.into()])
        };
        let went_well = with(vec![now.as_millis().into()]);
        write = match &delivered.then {
            Then::GoOn => write.and(WENT_WELL, went_well),
            Then::GiveUp { fault } => {
                metrics::settled(L::NAME, "given_up", rest.len().min(1));
                let first = rest.first().map_or(NONE, |letter| letter.pos.get());
                gives_up(write, first, Timestamp::from_millis(i64::MIN), fault)
                    .and(WENT_WELL, went_well)
            }
            Then::TryAgain { fault, after } => {
                let before = now.minus(L::PATIENCE);
                let old = rest.iter().filter(|letter| letter.queued_at < before);
                metrics::settled(L::NAME, "given_up", old.count());
                metrics::settled(L::NAME, "put_off", rest.len());
                let wait = backoff::wait(&*self.entropy, due.failures + 1, *after);
                let failed = vec![
                    now.as_millis().into(),
                    now.plus(wait).as_millis().into(),
                    shortened(fault).into(),
                    due.since.into(),
                ];
                gives_up(write, NONE, before, fault).and(FAILED, with(failed))
            }
            Then::Wait { how_long } => {
                let how_long = (*how_long).min(backoff::LONGEST_OF_ALL);
                let at = now.plus(how_long).as_millis();
                write.and(WAITS, with(vec![at.into(), due.since.into()]))
            }
            Then::Drop => {
                metrics::settled(L::NAME, "dropped", rest.len());
                write.and(DROP, with(vec![]))
            }
        };
        write.and(NOTHING_WAITS, with(vec![]))
    }
}

/// Does something beside serving: who is served holds what it needs, and would never give it back
/// if nobody went on with it.
async fn while_serving<T>(
    serving: &mut FuturesUnordered<Serving<'_>>,
    served: &mut HashSet<String>,
    work: impl Future<Output = T>,
) -> Result<T, StoreError> {
    let mut work = pin!(work);
    while !serving.is_empty() {
        match select(serving.next(), &mut work).await {
            Either::Left((Some(over), _)) => drop(served.remove(&over?)),
            Either::Left((None, _)) => {}
            Either::Right((done, _)) => return Ok(done),
        }
    }
    Ok(work.await)
}

/// As much of a fault as is kept.
fn shortened(fault: &str) -> String {
    fault.chars().take(MAX_FAULT_CHARS).collect()
}

fn letter(row: &Row) -> Result<Letter, StoreError> {
    Ok(Letter {
        pos: Pos::new(row.int(0)?),
        queued_at: Timestamp::from_millis(row.int(1)?),
    })
}

//! Background work that one node of the deployment does at a time: a lease with a fence, and how far
//! in the log the work has come.
//!
//! The lease is a row. Its holder moves it every second; who sees it stand still for some seconds,
//! by their own clock, takes it over. Nobody's clock is compared with anybody else's. Whatever the
//! holder writes goes through [`LeasedCursor`], in one transaction with a look at the fence: a node
//! that was frozen, and goes on after another has taken over, writes nothing.

use std::{future::Future, pin::pin, sync::Arc, time::Duration};

use futures_util::future::{Either, join_all, select};
use parking_lot::Mutex;
use tokio::sync::broadcast::error::RecvError;

use crate::{Following, LocalWrite, Log, Pos, Row, StoreError, Value};

/// How often a holder shows that it lives, and the others look.
const BEAT: Duration = Duration::from_secs(1);

/// How often a node that is alone notes how far it has come, when nothing else was to be written.
const NOTE: Duration = Duration::from_secs(60);

/// How often in a row a lease is seen to stand still before it is taken over.
const STANDS_STILL: u32 = 4;

/// How often in a row a holder may fail to show that it lives before it stops by itself.
const MISSED_BEATS: u32 = 3;

/// How long work rests that failed.
const PAUSE: Duration = Duration::from_secs(1);

/// How long a node that stops takes to give its leases back.
const RELEASE_WITHIN: Duration = Duration::from_secs(2);

/// What `beats` is when nobody holds the lease.
const FREE: i64 = -1;

const MAKE: &str = "INSERT INTO leases (name, fence, beats, pos) VALUES ($1, 0, -1, \
     CASE WHEN CAST($2 AS BIGINT) = 0 THEN 0 \
     ELSE (SELECT COALESCE(MAX(last_pos), 0) FROM log WHERE log_id = 1) END) \
     ON CONFLICT (name) DO NOTHING";

const LOOK: &str = "SELECT fence, beats FROM leases WHERE name = $1";

/// A failover may have lost what the cursor had passed: then it goes on from what is left.
const TAKE: &str = "UPDATE leases SET fence = fence + 1, beats = 0, \
     pos = CASE WHEN pos <= (SELECT COALESCE(MAX(last_pos), 0) FROM log WHERE log_id = 1) THEN pos \
     ELSE (SELECT COALESCE(MAX(last_pos), 0) FROM log WHERE log_id = 1) END \
     WHERE name = $1 AND fence = $2 AND beats = $3 RETURNING fence, pos";

const KEEP: &str =
    "UPDATE leases SET beats = beats + 1 WHERE name = $1 AND fence = $2 RETURNING beats";

/// Never back: a beat may be written behind what overtook it.
const MOVE: &str = "UPDATE leases SET beats = beats + 1, \
     pos = CASE WHEN pos < $3 THEN $3 ELSE pos END \
     WHERE name = $1 AND fence = $2 RETURNING beats";

const RELEASE: &str = "UPDATE leases SET beats = -1 WHERE name = $1 AND fence = $2";

/// Who writes what the holder works on waits for the holder's transaction, and the holder for
/// theirs.
const BESIDE: &str = "UPDATE leases SET beats = beats WHERE name = $1 RETURNING name";

/// Where work begins that was never done before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// With the first change of the log.
    AtTheStart,
    /// With the next.
    AtTheHead,
}

/// A piece of background work that is this node's to do. Cheap to clone.
#[derive(Clone)]
pub struct LeasedCursor(Arc<Held>);

struct Held {
    log: Log,
    name: Arc<str>,
    fence: i64,
    pos: Mutex<Pos>,
}

impl LeasedCursor {
    /// Does `work` for as long as this is polled and the node runs, whenever it is this node's to do.
    ///
    /// Work that ends, or fails, begins again from the cursor after a pause. Dropping this, or the
    /// node that polls it, loses nothing: it goes on from the cursor, here or elsewhere.
    pub async fn run<W, F>(log: &Log, name: &str, begin: Begin, work: W)
    where
        W: Fn(Self) -> F + Send + Sync,
        F: Future<Output = Result<(), StoreError>> + Send,
    {
        let running = async {
            while log.commits() {
                if let Err(error) = Self::run_once(log, name, begin, &work).await {
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(work = name, error, "background work begins again");
                }
                log.clock().sleep(PAUSE).await;
            }
        };
        // A node that stops gives its leases back: what it did after that another does too.
        select(pin!(running), pin!(log.stops())).await;
    }

    async fn run_once<W, F>(log: &Log, name: &str, begin: Begin, work: &W) -> Result<(), StoreError>
    where
        W: Fn(Self) -> F + Send + Sync,
        F: Future<Output = Result<(), StoreError>> + Send,
    {
        let cursor = Self::take(log, name, begin).await?;
        log.held().lock().push(cursor.clone_of_lease());
        let ended = {
            let working = pin!(work(cursor.clone()));
            match select(working, pin!(cursor.keep())).await {
                Either::Left((done, _)) => done,
                Either::Right((lost, _)) => Err(lost),
            }
        };
        cursor.release().await;
        ended
    }

    /// Waits until the work is this node's.
    async fn take(log: &Log, name: &str, begin: Begin) -> Result<Self, StoreError> {
        let database = log.database();
        let from_head = i64::from(begin == Begin::AtTheHead);
        let make = LocalWrite::new().and(MAKE, vec![name.into(), from_head.into()]);
        log.write_local(make).await?;
        // A SQLite database has one node, which an earlier one left as it was when it ended.
        let is_alone = database.engine_name() == "sqlite";
        let mut seen = (0, FREE);
        let mut stood_still = 0;
        loop {
            let row = database.query_opt(LOOK, &[name.into()]).await?;
            let row = row.ok_or_else(|| StoreError::Damaged("a lease is gone".to_owned()))?;
            let now = (row.int(0)?, row.int(1)?);
            stood_still = if now == seen { stood_still + 1 } else { 0 };
            seen = now;
            if is_alone || now.1 == FREE || stood_still >= STANDS_STILL {
                let params = vec![name.into(), now.0.into(), now.1.into()];
                let taken = log.write_local(LocalWrite::new().and(TAKE, params)).await?;
                if let Some(row) = taken.first().and_then(|rows| rows.first()) {
                    return Ok(Self(Arc::new(Held {
                        log: log.clone(),
                        name: name.into(),
                        fence: row.int(0)?,
                        pos: Mutex::new(Pos::new(row.int(1)?)),
                    })));
                }
            }
            log.clock().sleep(BEAT).await;
        }
    }

    /// Shows that the holder lives; ends when the lease is lost, or may be.
    async fn keep(&self) -> StoreError {
        let Held { log, .. } = &*self.0;
        // Where there is one node, nobody looks; a write costs more than it tells.
        let is_alone = log.database().engine_name() == "sqlite";
        let every = if is_alone { NOTE } else { BEAT };
        let mut missed = 0;
        let mut noted = self.pos();
        loop {
            log.clock().sleep(every).await;
            let pos = self.pos();
            if is_alone && pos == noted {
                continue;
            }
            noted = pos;
            match self.note(LocalWrite::new(), pos).await {
                Ok(_) => missed = 0,
                Err(error) => {
                    missed += 1;
                    let is_lost = matches!(error, StoreError::TakenOver);
                    if is_lost || missed >= MISSED_BEATS {
                        return error;
                    }
                }
            }
        }
    }

    fn params(&self) -> Vec<Value> {
        vec![(&*self.0.name).into(), self.0.fence.into()]
    }

    /// Lets another node take over at once; nothing happens if one has already.
    async fn release(&self) {
        self.0.log.release(&self.clone_of_lease()).await;
    }

    fn clone_of_lease(&self) -> Lease {
        Lease {
            name: Arc::clone(&self.0.name),
            fence: self.0.fence,
        }
    }

    /// Up to where the work is done.
    pub fn pos(&self) -> Pos {
        *self.0.pos.lock()
    }

    /// The log.
    pub fn log(&self) -> &Log {
        &self.0.log
    }

    /// Waits until the log has gone on past the cursor; gives how far this node has followed it.
    pub async fn more(&self) -> Result<Pos, StoreError> {
        let log = &self.0.log;
        let mut batches = log.subscribe();
        loop {
            let applied = log.applied();
            if applied > self.pos() {
                return Ok(applied);
            }
            if let Err(RecvError::Closed) = batches.recv().await {
                return Err(super::log::stopped());
            }
        }
    }

    /// Follows the log from where the cursor stands.
    pub fn follow(&self) -> Following {
        self.0.log.follow(self.pos())
    }

    /// Moves the cursor over changes that ask for no work. The database learns of it with the next
    /// write, or within a minute: work that begins again may come upon them once more.
    pub fn pass(&self, pos: Pos) {
        *self.0.pos.lock() = pos;
    }

    /// Writes, and moves the cursor, in one transaction: only if the work is still this node's.
    ///
    /// # Errors
    ///
    /// An error ends the work, which begins again from where the cursor stands in the database:
    /// after a broken connection nobody knows whether it was moved.
    pub async fn write(&self, write: LocalWrite, pos: Pos) -> Result<Vec<Vec<Row>>, StoreError> {
        let written = self.note(write, pos).await?;
        *self.0.pos.lock() = pos;
        Ok(written)
    }

    async fn note(&self, write: LocalWrite, pos: Pos) -> Result<Vec<Vec<Row>>, StoreError> {
        let mut params = self.params();
        params.push(pos.get().into());
        self.0.log.write_local(write.only_if(MOVE, params)).await
    }

    /// Writes in one transaction, and leaves the cursor where it is: only if the work is still
    /// this node's.
    pub async fn write_here(&self, write: LocalWrite) -> Result<Vec<Vec<Row>>, StoreError> {
        let write = write.only_if(KEEP, self.params());
        self.0.log.write_local(write).await
    }

    /// Writes what somebody else's work is about, from any node: neither sees half of what the
    /// other does. Nothing is written where nobody ever did that work.
    pub async fn write_beside(
        log: &Log,
        name: &str,
        write: LocalWrite,
    ) -> Result<Vec<Vec<Row>>, StoreError> {
        log.write_local(write.only_if(BESIDE, vec![name.into()]))
            .await
    }
}

/// What this node holds: a name, and the fence under which it was taken.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Lease {
    name: Arc<str>,
    fence: i64,
}

impl Log {
    /// Gives a lease back, so that another node need not wait.
    async fn release(&self, lease: &Lease) {
        self.held().lock().retain(|held| held != lease);
        let params = vec![(&*lease.name).into(), lease.fence.into()];
        let released = self.write_local(LocalWrite::new().and(RELEASE, params));
        if let Err(error) = released.await {
            let error: &dyn std::error::Error = &error;
            tracing::debug!(work = &*lease.name, error, "a lease runs out by itself");
        }
    }

    /// Gives back all that this node holds, at its end. A database with one node has nobody to
    /// give it to.
    pub(crate) async fn release_all(&self) {
        let held = std::mem::take(&mut *self.held().lock());
        if self.database().engine_name() == "sqlite" {
            return;
        }
        let releasing = held.iter().map(|lease| self.release(lease));
        // A database that does not answer is not waited for: the leases run out by themselves.
        drop(tokio::time::timeout(RELEASE_WITHIN, join_all(releasing)).await);
    }
}

//! The commit log: every durable change, in one total order.

mod applier;
mod arrival;
mod attempt;
mod committer;
mod epoch;
mod following;
mod intent;
mod lately;
mod standing;
mod tail;
mod touched;
mod transaction;

use std::{any::TypeId, collections::HashMap, sync::Arc, time::Duration};

use model::time::{Clock, Timestamp};
use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::{
    Database, LocalWrite, Mark, Reader, Row, StoreError, database::Engine, history, leased::Lease,
};

pub use self::{
    applier::{Applier, CheckContext, Verdict},
    arrival::{Arrival, Arrivals},
    epoch::{EpochCause, EpochRaise, Epochs},
    following::Following,
    intent::{CommitError, Committed, Intent, Ticket},
    lately::Lately,
    touched::Touched,
};
use self::{
    applier::{ErasedApplier, Registered},
    committer::{Committer, Job, Queued},
    standing::Standing,
    tail::{Tail, Waiting},
};

/// A place in the log's total order, from 1.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(transparent)]
pub struct Pos(i64);

impl Pos {
    /// Before the first change.
    pub const START: Self = Self(0);

    /// Makes a position from its number.
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// The position's number.
    pub const fn get(self) -> i64 {
        self.0
    }

    pub(crate) const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// A batch that committed, on this node or on another.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The position of its first change.
    pub first_pos: Pos,
    /// The position of its last change.
    pub last_pos: Pos,
    /// When it was committed, by the committing node's clock.
    pub at: Timestamp,
    /// What it touched.
    pub touched: Touched,
}

/// How many intents may wait for the committer before callers wait too.
const QUEUE: usize = 4_096;

/// How many batches a slow subscriber may fall behind before it must read the log instead.
const SUBSCRIBED: usize = 4_096;

/// How long a node may go without confirming the head before it serves nothing from cache.
const CONFIRM_WITHIN: Duration = Duration::from_secs(1);

/// The one way to change anything that others must learn of. Cheap to clone.
#[derive(Clone)]
pub struct Log {
    shared: Arc<Shared>,
    jobs: mpsc::Sender<Job>,
    waiting: Option<mpsc::UnboundedSender<Waiting>>,
}

/// What the committer, the tail and the callers share.
pub(crate) struct Shared {
    database: Database,
    clock: Arc<dyn Clock>,
    appliers: Vec<Arc<dyn ErasedApplier>>,
    kinds: HashMap<TypeId, usize>,
    /// Up to where the caches of this node are true, and what was touched on the way there.
    lately: RwLock<Lately>,
    stopping: watch::Sender<bool>,
    batches: broadcast::Sender<Arc<Batch>>,
    /// The end of the last batch that this node itself committed.
    committed: watch::Sender<Pos>,
    /// The background work that this node does for all.
    held: Mutex<Vec<Lease>>,
    /// What is measured of all this.
    standing: Standing,
}

/// Collects the appliers, in the order in which they run inside a batch.
pub struct LogBuilder {
    database: Database,
    clock: Arc<dyn Clock>,
    appliers: Vec<Arc<dyn ErasedApplier>>,
    kinds: HashMap<TypeId, usize>,
}

impl LogBuilder {
    /// Begins with the log's own appliers: those of epochs and of arrivals.
    pub fn new(database: Database, clock: Arc<dyn Clock>) -> Self {
        let empty = Self {
            database,
            clock,
            appliers: Vec::new(),
            kinds: HashMap::new(),
        };
        empty
            .register(Epochs::applier())
            .register(Arrivals::applier())
    }

    /// Adds an owner's applier; the order of calls is the order inside a batch.
    #[must_use]
    pub fn register<A: Applier>(mut self, applier: Arc<A>) -> Self {
        self.kinds.insert(TypeId::of::<A>(), self.appliers.len());
        self.appliers.push(Arc::new(Registered(applier)));
        self
    }

    /// Starts the committer; a database has one log in a process.
    pub async fn start(self) -> Result<Log, StoreError> {
        let began = self.clock.uptime();
        let head = self.database.snapshot().await?.head();
        let (batches, _) = broadcast::channel(SUBSCRIBED);
        let shared = Arc::new(Shared {
            database: self.database,
            clock: self.clock,
            appliers: self.appliers,
            kinds: self.kinds,
            lately: RwLock::new(Lately::new(head)),
            stopping: watch::Sender::new(false),
            batches,
            committed: watch::Sender::new(Pos::START),
            held: Mutex::default(),
            standing: Standing::default(),
        });
        if let Some(history) = shared.database.history() {
            history.begin(&shared.database).await?;
        }
        shared.standing.confirm(began);
        let (jobs, queue) = mpsc::channel(QUEUE);
        Committer::start(Arc::clone(&shared), queue)?;
        let waiting = match &*shared.database.engine {
            Engine::Sqlite { .. } => None,
            Engine::Postgres { connector, .. } => {
                Some(Tail::start(Arc::clone(&shared), connector.clone()))
            }
        };
        Ok(Log {
            shared,
            jobs,
            waiting,
        })
    }
}

impl Log {
    /// Commits an intent: all of its changes, or none.
    ///
    /// Returns when the changes are durable. An error of the store leaves nothing behind.
    pub async fn commit(&self, intent: Intent) -> Result<Committed, CommitError> {
        if intent.size_bytes() > committer::BATCH_BYTES {
            let sentence = "a change is larger than a batch may be".to_owned();
            return Err(CommitError::Store(StoreError::Refused(sentence)));
        }
        let (answer, answered) = oneshot::channel();
        let queued = Queued {
            intent: intent.resolve(&self.shared.kinds),
            answer,
            _waits: self.shared.standing.wait(),
        };
        self.jobs
            .send(Job::Commit(queued))
            .await
            .map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }

    /// Writes to tables outside the log, in one transaction of their own.
    pub async fn write_local(&self, write: LocalWrite) -> Result<Vec<Vec<Row>>, StoreError> {
        match &*self.shared.database.engine {
            Engine::Postgres { pool, .. } => pool.local_write(&write).await,
            Engine::Sqlite { .. } => {
                let (answer, answered) = oneshot::channel();
                self.jobs
                    .send(Job::Local(write, answer))
                    .await
                    .map_err(|_| stopped())?;
                answered.await.map_err(|_| stopped())?
            }
        }
    }

    /// Waits until this node has applied every change that was acknowledged before the call.
    ///
    /// Every request passes here before it uses a cache. Fails when the head cannot be
    /// confirmed within a second.
    pub async fn barrier(&self) -> Result<Pos, StoreError> {
        let Some(waiting) = &self.waiting else {
            return Ok(self.applied());
        };
        self.shared.still_stands()?;
        let (answer, answered) = oneshot::channel();
        waiting
            .send(Waiting {
                answer: Some(answer),
            })
            .map_err(|_| stopped())?;
        match tokio::time::timeout(CONFIRM_WITHIN, answered).await {
            Ok(Ok(confirmed)) => confirmed,
            Ok(Err(_)) => Err(stopped()),
            Err(_) => Err(StoreError::Unavailable(
                "the head of the log was not confirmed within a second".to_owned(),
            )),
        }
    }

    /// The last position that this node's caches include.
    pub fn applied(&self) -> Pos {
        self.shared.applied()
    }

    /// What was touched lately, as far as this node's caches include it. Held for a moment only:
    /// the committer waits meanwhile.
    pub fn lately(&self) -> RwLockReadGuard<'_, Lately> {
        self.shared.lately.read()
    }

    /// Follows the batches of all nodes, in order; a subscriber that lags reads the log instead.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Batch>> {
        self.shared.batches.subscribe()
    }

    /// Follows what this node itself commits, whoever sees it first: the end of its last batch,
    /// [`Pos::START`] before the first. Other nodes have to be told of these batches only.
    pub fn committed(&self) -> watch::Receiver<Pos> {
        self.shared.committed.subscribe()
    }

    /// Looks for other nodes' batches now instead of within half a second.
    pub fn poke(&self) {
        if let Some(waiting) = &self.waiting {
            drop(waiting.send(Waiting { answer: None }));
        }
    }

    /// Whether this node can still commit: not once it was stopped, and not when its committer
    /// has died, which only a new process mends.
    pub fn commits(&self) -> bool {
        !self.jobs.is_closed()
    }

    /// The database below.
    pub fn database(&self) -> &Database {
        &self.shared.database
    }

    /// The clock that stamps batches.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.shared.clock
    }

    /// Waits until this node stops.
    pub(crate) async fn stops(&self) {
        let mut stopping = self.shared.stopping.subscribe();
        drop(stopping.wait_for(|stopping| *stopping).await);
    }

    pub(crate) fn held(&self) -> &Mutex<Vec<Lease>> {
        &self.shared.held
    }

    /// Finishes what is queued and stops; later commits fail. A database that does not answer
    /// is not waited for.
    pub async fn stop(&self) {
        self.shared.stopping.send_replace(true);
        self.release_all().await;
        let (done, stopped) = oneshot::channel();
        if self.jobs.send(Job::Stop(done)).await.is_ok() {
            drop(stopped.await);
        }
    }
}

impl Shared {
    /// Also where nothing can be committed any more.
    fn is_stopping(&self) -> bool {
        *self.stopping.borrow() || self.still_stands().is_err()
    }

    /// Whether what this node has seen is still part of the log, as far as it knows.
    fn still_stands(&self) -> Result<(), StoreError> {
        match self.database.history() {
            Some(history) if history.is_lost() => Err(history::lost()),
            _ => Ok(()),
        }
    }

    /// Applies other nodes' batches as they were read.
    fn advance_by(&self, rows: &[Row]) -> Result<(), StoreError> {
        if let Some(history) = self.database.history() {
            for row in rows {
                if let Some(mark) = Mark::read(row, 1, 4)? {
                    history.note_batch(Pos(row.int(0)?), mark);
                }
            }
            self.still_stands()?;
        }
        self.advance(batches_of(rows)?);
        Ok(())
    }

    /// Applies other nodes' batches to the caches and wakes who waits.
    fn advance(&self, batches: Vec<Batch>) {
        let mut lately = self.lately.write();
        for batch in batches {
            if batch.last_pos <= lately.head() {
                continue;
            }
            self.forget(&batch);
            match self.knows(&batch) {
                true => lately.note(&batch),
                false => lately.forget_all(batch.last_pos),
            }
            drop(self.batches.send(Arc::new(batch)));
        }
    }

    fn forget(&self, batch: &Batch) {
        for applier in &self.appliers {
            applier.forget(&batch.touched, batch.last_pos);
        }
        if !self.knows(batch) {
            for applier in &self.appliers {
                applier.forget_all(batch.last_pos);
            }
        }
    }

    /// Whether this program knows every kind of change in a batch.
    fn knows(&self, batch: &Batch) -> bool {
        let known = |kind: &str| self.appliers.iter().any(|applier| applier.kind() == kind);
        batch.touched.kinds().all(known)
    }

    fn applied(&self) -> Pos {
        self.lately.read().head()
    }
}

pub(crate) fn stopped() -> StoreError {
    StoreError::Unavailable("this node is stopping".to_owned())
}

/// How many batches one reading of the log gives at most.
pub(crate) const TAIL_ROWS: usize = 4_096;

/// Reads the batches after `$1`.
pub(crate) const TAIL: &str = "SELECT first_pos, last_pos, at, touched, batch_id FROM log \
     WHERE log_id = 1 AND last_pos > $1 ORDER BY last_pos LIMIT 4096";

/// The batch that has a position.
const BATCH_OF: &str = "SELECT first_pos, last_pos, at, touched FROM log \
     WHERE log_id = 1 AND last_pos >= $1 ORDER BY last_pos LIMIT 1";

impl Reader {
    /// The batch in which a position was given, if it was given.
    pub async fn batch_of(&self, pos: Pos) -> Result<Option<Batch>, StoreError> {
        let batches = batches_of(&self.query(BATCH_OF, &[pos.get().into()]).await?)?;
        let found = batches.into_iter().next();
        Ok(found.filter(|batch| batch.first_pos <= pos))
    }

    /// Reads the batches after a position, in order: some thousand at most.
    pub async fn batches_after(&self, pos: Pos) -> Result<Vec<Batch>, StoreError> {
        batches_of(&self.query(TAIL, &[pos.get().into()]).await?)
    }
}

pub(crate) fn batches_of(rows: &[Row]) -> Result<Vec<Batch>, StoreError> {
    rows.iter()
        .map(|row| {
            Ok(Batch {
                first_pos: Pos(row.int(0)?),
                last_pos: Pos(row.int(1)?),
                at: Timestamp::from_millis(row.int(2)?),
                touched: Touched::decode(row.text(3)?)?,
            })
        })
        .collect()
}

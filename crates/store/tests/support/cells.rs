//! A small owner: numbered cells that hold a number, and a mark for every change.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures_util::future::try_join_all;
use store::{
    Applier, CheckContext, Coherent, ColumnType, Database, Insert, Journal, Layered, Migration,
    Migrations, Pos, StoreError, Touched, Tx, Value, Verdict, Writes,
};
use tokio::sync::Semaphore;

pub(crate) const MIGRATIONS: Migrations = Migrations {
    owner: "cells",
    steps: &[Migration {
        number: 1,
        name: "cells",
        sql: "CREATE TABLE cells (id BIGINT NOT NULL PRIMARY KEY, \
              value BIGINT NOT NULL CHECK (value <> -13), pos BIGINT NOT NULL); \
              CREATE TABLE marks (pos BIGINT NOT NULL PRIMARY KEY, cell BIGINT NOT NULL, \
              value BIGINT NOT NULL); \
              CREATE TABLE scratch (id BIGINT NOT NULL PRIMARY KEY, note TEXT NOT NULL)",
    }],
};

/// The values that a check lets pass and that cannot be written.
pub(crate) const REFUSED_BY_THE_TABLE: i64 = -13;
pub(crate) const PANICS_WHEN_WRITTEN: i64 = -14;
pub(crate) const OF_ANOTHER_TYPE: i64 = -15;

/// What is asked of a cell.
pub(crate) enum Act {
    /// Holds this from now on.
    Set(i64),
    /// Holds this from now on; nothing to do when it does already.
    Ensure(i64),
    /// Holds this from now on; done before when it holds anything.
    SetOnce(i64),
    /// Holds so much more.
    Add(i64),
    /// Holds one less; refused when there is none.
    Take,
    /// Is refused.
    Refuse,
    /// Takes so many bytes of a batch.
    Weigh(usize),
    /// Interns a user; the outcome is its integer.
    Intern(String),
    /// Looks a user up after interning it, inside the batch.
    InternAndFind(String, Box<Database>),
    PanicInCheck,
    PanicInPrepare,
    /// A statement fails while the batch is prepared, and its failure is dropped.
    FailUnseenInPrepare,
    /// Counts into `Cells::after_commit` once the batch stands.
    CountAfterCommit,
    /// Keeps the batch open until the gate is.
    Hold(Arc<Gate>),
    /// Stops the thread that holds the lock, as a machine that swaps does.
    Freeze(Arc<Thaw>),
}

pub(crate) struct Change {
    pub(crate) cell: i64,
    pub(crate) act: Act,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Empty,
    Asked,
}

/// Lets a test hold a batch open.
pub(crate) struct Gate {
    pub(crate) entered: Semaphore,
    pub(crate) open: Semaphore,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            entered: Semaphore::new(0),
            open: Semaphore::new(0),
        }
    }
}

/// How long a thread is frozen, once, and how far that has come.
pub(crate) struct Thaw {
    pub(crate) after: Duration,
    pub(crate) frozen: AtomicBool,
    pub(crate) thawed: AtomicBool,
}

impl Thaw {
    pub(crate) fn after(after: Duration) -> Arc<Self> {
        Arc::new(Self {
            after,
            frozen: AtomicBool::new(false),
            thawed: AtomicBool::new(false),
        })
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "blocking the thread is what this is for"
    )]
    fn freeze(&self) {
        if !self.frozen.swap(true, Ordering::SeqCst) {
            std::thread::sleep(self.after);
            self.thawed.store(true, Ordering::SeqCst);
        }
    }
}

/// The applier, with a cache of what cells hold.
pub(crate) struct Cells {
    cache: Coherent<i64, Option<i64>>,
    pub(crate) after_commit: Arc<AtomicU64>,
    /// How often a cache was asked and had the answer.
    pub(crate) hits: AtomicU64,
}

impl Default for Cells {
    fn default() -> Self {
        Self {
            cache: Coherent::new(1_000),
            after_commit: Arc::default(),
            hits: AtomicU64::new(0),
        }
    }
}

impl Cells {
    /// Reads through the cache.
    pub(crate) async fn read(
        &self,
        database: &Database,
        cell: i64,
    ) -> Result<Option<i64>, StoreError> {
        if let Some(value) = self.cache.get(&cell) {
            self.hits.fetch_add(1, Ordering::Relaxed);
            return Ok(value);
        }
        let snapshot = database.snapshot().await?;
        let row = snapshot.query_opt(READ, &[cell.into()]).await?;
        let value = row.map(|row| row.int(0)).transpose()?;
        self.cache.fill(cell, value, snapshot.head());
        Ok(value)
    }
}

const READ: &str = "SELECT value FROM cells WHERE id = $1";

static WRITE_CELLS: Insert = Insert {
    table: "cells",
    columns: &[
        ("id", ColumnType::Int),
        ("value", ColumnType::Int),
        ("pos", ColumnType::Int),
    ],
    on_conflict: "ON CONFLICT (id) DO UPDATE SET value = excluded.value, pos = excluded.pos",
};

static WRITE_MARKS: Insert = Insert {
    table: "marks",
    columns: &[
        ("pos", ColumnType::Int),
        ("cell", ColumnType::Int),
        ("value", ColumnType::Int),
    ],
    on_conflict: "",
};

#[derive(Default)]
pub(crate) struct Work {
    cells: Layered<i64, Option<i64>>,
    marks: Journal<Mark>,
    users: HashMap<String, i64>,
}

struct Mark {
    pos: Pos,
    cell: i64,
    value: i64,
}

#[async_trait]
impl Applier for Cells {
    type Change = Change;
    type Outcome = i64;
    type Refusal = Refusal;
    type Work = Work;

    const KIND: &'static str = "cells";

    fn size_bytes(change: &Change) -> usize {
        match change.act {
            Act::Weigh(bytes) => bytes,
            _ => 64,
        }
    }

    async fn prepare(&self, tx: &Tx, changes: &[&Change]) -> Result<Work, StoreError> {
        let mut work = Work::default();
        let reading = changes.iter().map(|change| async move {
            let row = tx.query_opt(READ, &[change.cell.into()]).await?;
            let value = row.map(|row| row.int(0)).transpose()?;
            Ok::<_, StoreError>((change.cell, value))
        });
        for (cell, value) in try_join_all(reading).await? {
            work.cells.load(cell, value);
        }
        for change in changes {
            self.prepare_one(tx, &mut work, change).await?;
        }
        Ok(work)
    }

    fn check(
        &self,
        work: &mut Work,
        change: &Change,
        context: &mut CheckContext<'_>,
    ) -> Result<Verdict<i64>, Refusal> {
        let cell = change.cell;
        let held = work.cells.get(&cell).copied().flatten();
        let (value, outcome) = match &change.act {
            Act::Ensure(value) if held == Some(*value) => return Ok(Verdict::Nothing(*value)),
            Act::SetOnce(_) if held.is_some() => {
                return Ok(Verdict::Already(held.unwrap_or_default()));
            }
            Act::Set(value) | Act::Ensure(value) | Act::SetOnce(value) => (*value, *value),
            Act::Add(by) => (held.unwrap_or_default() + by, held.unwrap_or_default() + by),
            Act::Take => match held {
                Some(left) if left > 0 => (left - 1, left),
                _ => return Err(Refusal::Empty),
            },
            Act::Refuse => return Err(Refusal::Asked),
            Act::PanicInCheck => panic!("this check was asked to panic"),
            Act::Intern(user) | Act::InternAndFind(user, _) => (0, work.users[user]),
            Act::Weigh(_)
            | Act::PanicInPrepare
            | Act::FailUnseenInPrepare
            | Act::CountAfterCommit
            | Act::Hold(_)
            | Act::Freeze(_) => (0, 0),
        };
        work.cells.stage(cell, Some(value));
        work.marks.push(Mark {
            pos: context.pos(),
            cell,
            value,
        });
        context.touch_room(cell);
        Ok(Verdict::Apply(outcome))
    }

    fn settle(&self, work: &mut Work, keep: bool) {
        work.cells.settle(keep);
        work.marks.settle(keep);
    }

    fn write(&self, work: &mut Work, writes: &mut Writes) -> Result<(), StoreError> {
        let mut newest: HashMap<i64, Vec<Value>> = HashMap::new();
        let mut marks = Vec::new();
        for mark in work.marks.take() {
            assert!(mark.value != PANICS_WHEN_WRITTEN, "asked to panic");
            let (cell, pos) = (Value::from(mark.cell), Value::from(mark.pos.get()));
            let value = match mark.value {
                OF_ANOTHER_TYPE => Value::from("a text"),
                value => value.into(),
            };
            newest.insert(mark.cell, vec![cell.clone(), value, pos.clone()]);
            marks.push(vec![pos, cell, mark.value.into()]);
        }
        writes.insert(&WRITE_CELLS, newest.into_values().collect());
        writes.insert(&WRITE_MARKS, marks);
        Ok(())
    }

    fn committed(&self, work: Work, last_pos: Pos) {
        for (cell, value) in work.cells.into_kept() {
            self.cache.put(cell, value, last_pos);
        }
    }

    fn forget(&self, touched: &Touched, last_pos: Pos) {
        for cell in touched.rooms() {
            self.cache.forget(&cell, last_pos);
        }
    }

    fn forget_all(&self, last_pos: Pos) {
        self.cache.forget_all(last_pos);
    }
}

impl Cells {
    async fn prepare_one(
        &self,
        tx: &Tx,
        work: &mut Work,
        change: &Change,
    ) -> Result<(), StoreError> {
        match &change.act {
            Act::Intern(user) => {
                let ids = tx.intern_users(&[user]).await?;
                work.users.insert(user.clone(), ids[0]);
            }
            Act::InternAndFind(user, database) => {
                let ids = tx.intern_users(&[user]).await?;
                assert_eq!(database.names().user(tx, user).await?, Some(ids[0]));
                assert_eq!(&*database.names().user_name(tx, ids[0]).await?, user);
                work.users.insert(user.clone(), ids[0]);
            }
            Act::PanicInPrepare => panic!("this preparation was asked to panic"),
            Act::FailUnseenInPrepare => {
                let sql = "INSERT INTO cells (id, value, pos) VALUES (-99, -13, 0)";
                drop(tx.execute(sql, &[]).await);
            }
            Act::CountAfterCommit => {
                let count = Arc::clone(&self.after_commit);
                tx.on_commit(move || {
                    count.fetch_add(1, Ordering::SeqCst);
                });
            }
            Act::Hold(gate) => {
                gate.entered.add_permits(1);
                gate.open
                    .acquire()
                    .await
                    .expect("gates do not close")
                    .forget();
            }
            Act::Freeze(thaw) => thaw.freeze(),
            _ => {}
        }
        Ok(())
    }
}

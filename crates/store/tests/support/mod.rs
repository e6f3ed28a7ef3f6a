//! What both suites share: a database of each engine, a node over it, and a small owner.

pub(crate) mod cells;

use std::{sync::Arc, task::Poll};

use futures_util::{future::join_all, poll};
use store::{
    CommitError, Committed, Database, DatabaseOptions, Intent, Location, Log, LogBuilder, Pos,
    StoreError, Ticket,
};
use testkit::{clock::FakeClock, postgres::TestDatabase};
use tokio::task::unconstrained;

use self::cells::{Act, Cells, Change, Gate, Refusal};

/// One test's database; it is removed when this is dropped.
pub(crate) struct Db {
    pub(crate) location: Location,
    folder: Option<tempfile::TempDir>,
    postgres: Option<TestDatabase>,
}

impl Db {
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            location: Location::Sqlite(folder.path().join("conclave.db")),
            folder: Some(folder),
            postgres: None,
        }
    }

    pub(crate) async fn postgres() -> Self {
        let postgres = testkit::postgres::database().await;
        Self {
            location: Location::Postgres(postgres.url.clone()),
            folder: None,
            postgres: Some(postgres),
        }
    }

    pub(crate) fn is_postgres(&self) -> bool {
        self.postgres.is_some()
    }

    pub(crate) fn options(&self) -> DatabaseOptions {
        DatabaseOptions {
            location: self.location.clone(),
            server_name: "example.org".to_owned(),
            migrations: vec![cells::MIGRATIONS],
            readers: 4,
        }
    }

    pub(crate) async fn node(&self) -> Node {
        Node::start(self.options()).await
    }
}

/// A node: a log with the small owner.
pub(crate) struct Node {
    pub(crate) log: Log,
    pub(crate) cells: Arc<Cells>,
    pub(crate) clock: FakeClock,
}

impl Node {
    pub(crate) async fn start(options: DatabaseOptions) -> Self {
        let database = Database::open(options).await.unwrap();
        let cells = Arc::new(Cells::default());
        let clock = FakeClock::default();
        let log = LogBuilder::new(database, Arc::new(clock.clone()))
            .register(Arc::clone(&cells))
            .start()
            .await
            .unwrap();
        Self { log, cells, clock }
    }

    pub(crate) fn database(&self) -> &Database {
        self.log.database()
    }

    /// Commits one change and gives its outcome.
    pub(crate) async fn act(&self, cell: i64, act: Act) -> Result<i64, CommitError> {
        let (intent, ticket) = one(cell, act);
        let mut committed = self.log.commit(intent).await?;
        Ok(committed
            .take(ticket)
            .expect("the change was this intent's own"))
    }

    /// The value as the database has it.
    pub(crate) async fn stored(&self, cell: i64) -> Option<i64> {
        let row = self
            .database()
            .query_opt("SELECT value FROM cells WHERE id = $1", &[cell.into()])
            .await
            .unwrap();
        row.map(|row| row.int(0).unwrap())
    }

    /// The value as a request reads it: behind the barrier, from the cache, else a snapshot.
    pub(crate) async fn read(&self, cell: i64) -> Result<Option<i64>, StoreError> {
        self.log.barrier().await?;
        self.cells.read(self.database(), cell).await
    }

    /// Every applied change, in order: its position, its cell and the value it made.
    pub(crate) async fn marks(&self) -> Vec<(i64, i64, i64)> {
        let rows = self
            .database()
            .query("SELECT pos, cell, value FROM marks ORDER BY pos", &[])
            .await
            .unwrap();
        let mark = |row: &store::Row| {
            let int = |index| row.int(index).unwrap();
            (int(0), int(1), int(2))
        };
        rows.iter().map(mark).collect()
    }

    /// The log's rows: the first and the last position of each batch.
    pub(crate) async fn batches(&self) -> Vec<(i64, i64)> {
        let rows = self
            .database()
            .query("SELECT first_pos, last_pos FROM log ORDER BY last_pos", &[])
            .await
            .unwrap();
        let batch = |row: &store::Row| (row.int(0).unwrap(), row.int(1).unwrap());
        rows.iter().map(batch).collect()
    }

    /// Checks that the log has no gap, and that every change stands at a position of its own.
    pub(crate) async fn assert_total_order(&self) -> Pos {
        let mut next = 1;
        for (first, last) in self.batches().await {
            assert_eq!(first, next, "a batch begins where the one before it ended");
            assert!(last >= first, "a batch has at least one change");
            next = last + 1;
        }
        let positions: Vec<i64> = self.marks().await.iter().map(|mark| mark.0).collect();
        assert_eq!(positions, (1..next).collect::<Vec<_>>());
        Pos::new(next - 1)
    }
}

/// An intent of one change.
pub(crate) fn one(cell: i64, act: Act) -> (Intent, Ticket<Cells>) {
    let mut intent = Intent::new();
    let ticket = intent.add::<Cells>(Change { cell, act });
    (intent, ticket)
}

/// An intent of several changes.
pub(crate) fn several(changes: impl IntoIterator<Item = (i64, Act)>) -> Intent {
    let mut intent = Intent::new();
    for (cell, act) in changes {
        intent.add::<Cells>(Change { cell, act });
    }
    intent
}

/// Commits the intents in one batch, in this order, whatever the machine does meanwhile.
pub(crate) async fn in_one_batch(
    node: &Node,
    intents: Vec<Intent>,
) -> Vec<Result<Committed, CommitError>> {
    let gate = Arc::new(Gate::default());
    let (holding, _) = one(-1, Act::Hold(Arc::clone(&gate)));
    let log = node.log.clone();
    let held = tokio::spawn(async move { log.commit(holding).await.map(drop) });
    gate.entered.acquire().await.unwrap().forget();
    // Unconstrained, so that one poll queues them all.
    let mut committing = Box::pin(unconstrained(join_all(
        intents.into_iter().map(|intent| node.log.commit(intent)),
    )));
    assert!(matches!(poll!(&mut committing), Poll::Pending));
    // A batch may be tried again, on PostgreSQL.
    gate.open.add_permits(9);
    held.await.unwrap().unwrap();
    committing.await
}

/// The owner's refusal.
pub(crate) fn refusal(answer: Result<Committed, CommitError>) -> Refusal {
    let Err(error) = answer else {
        panic!("it was not refused");
    };
    error.refusal::<Cells>().expect("the owner refused it")
}

//! The two engines: the only place where SQLite and PostgreSQL differ.

pub(crate) mod postgres;
pub(crate) mod sqlite;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use parking_lot::Mutex;

use crate::{ColumnType, Names, Row, StoreError, Value};

/// Where statements run: a read snapshot, or the transaction of a batch.
pub struct Reader {
    pub(crate) kind: ReaderKind,
    /// Whether a statement has failed here, even if nobody was told.
    failed: AtomicBool,
}

pub(crate) enum ReaderKind {
    /// On this very thread: the committer's.
    SqliteHere(Arc<sqlite::Connection>),
    /// On a reader thread that this snapshot has to itself.
    SqliteThere(sqlite::ReaderLease),
    /// Over a connection; statements polled together travel together.
    Postgres(Arc<postgres::Session>),
    /// The same, on a connection lent by the pool.
    PostgresPooled(Box<postgres::Lease>),
}

impl Reader {
    pub(crate) fn new(kind: ReaderKind) -> Self {
        Self {
            kind,
            failed: AtomicBool::new(false),
        }
    }

    /// Whether this is the transaction of a batch, which may yet be rolled back.
    pub(crate) fn is_batch(&self) -> bool {
        matches!(
            self.kind,
            ReaderKind::SqliteHere(_) | ReaderKind::Postgres(_)
        )
    }

    fn noting<T>(&self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        if outcome.is_err() {
            self.failed.store(true, Ordering::Relaxed);
        }
        outcome
    }

    /// Runs a query and collects its rows.
    pub async fn query(&self, sql: &'static str, params: &[Value]) -> Result<Vec<Row>, StoreError> {
        let rows = match &self.kind {
            ReaderKind::SqliteHere(connection) => connection.query(sql, params),
            ReaderKind::SqliteThere(lease) => lease.query(sql, params).await,
            ReaderKind::Postgres(session) => session.query(sql, params).await,
            ReaderKind::PostgresPooled(lease) => lease.session().query(sql, params).await,
        };
        self.noting(rows)
    }

    /// Runs a query that gives one row or none.
    pub async fn query_opt(
        &self,
        sql: &'static str,
        params: &[Value],
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.query(sql, params).await?.into_iter().next())
    }
}

/// Rows to be inserted in one go, into one table.
#[derive(Debug)]
pub struct Insert {
    /// The table.
    pub table: &'static str,
    /// Its columns, in the order of the rows' values.
    pub columns: &'static [(&'static str, ColumnType)],
    /// What follows the values: empty, or an `ON CONFLICT` clause.
    pub on_conflict: &'static str,
}

/// What a batch writes, in order.
///
/// Nobody reads what these statements answer, so they travel together, and COMMIT with them.
#[derive(Debug, Default)]
pub struct Writes {
    pub(crate) steps: Vec<Step>,
}

/// One statement of a batch.
#[derive(Debug)]
pub(crate) enum Step {
    Insert(&'static Insert, Vec<Vec<Value>>),
    Execute(&'static str, Vec<Value>),
}

impl Writes {
    /// Adds an insert of many rows; without rows there is nothing to add.
    pub fn insert(&mut self, insert: &'static Insert, rows: Vec<Vec<Value>>) {
        if !rows.is_empty() {
            self.steps.push(Step::Insert(insert, rows));
        }
    }

    /// Adds any other statement.
    pub fn execute(&mut self, sql: &'static str, params: Vec<Value>) {
        self.steps.push(Step::Execute(sql, params));
    }
}

/// What runs after the commit, and only then.
type AfterCommit = Box<dyn FnOnce() + Send>;

/// The transaction of one batch: it holds the log's lock.
pub struct Tx {
    reader: Reader,
    names: Names,
    after_commit: Mutex<Vec<AfterCommit>>,
}

impl std::ops::Deref for Tx {
    type Target = Reader;

    fn deref(&self) -> &Reader {
        &self.reader
    }
}

impl Tx {
    pub(crate) fn new(kind: ReaderKind, names: Names) -> Self {
        Self {
            reader: Reader::new(kind),
            names,
            after_commit: Mutex::default(),
        }
    }

    /// Runs a statement and tells how many rows it changed.
    pub async fn execute(&self, sql: &'static str, params: &[Value]) -> Result<u64, StoreError> {
        let changed = match &self.reader.kind {
            ReaderKind::SqliteHere(connection) => connection.execute(sql, params),
            ReaderKind::Postgres(session) => session.execute(sql, params).await,
            ReaderKind::SqliteThere(_) | ReaderKind::PostgresPooled(_) => {
                Err(StoreError::Refused("a snapshot cannot write".to_owned()))
            }
        };
        self.reader.noting(changed)
    }

    /// Inserts many rows with one statement.
    pub async fn insert_many(
        &self,
        insert: &'static Insert,
        rows: &[Vec<Value>],
    ) -> Result<u64, StoreError> {
        if rows.is_empty() {
            return Ok(0);
        }
        let changed = match &self.reader.kind {
            ReaderKind::SqliteHere(connection) => connection.insert_many(insert, rows),
            ReaderKind::Postgres(session) => session.insert_many(insert, rows).await,
            ReaderKind::SqliteThere(_) | ReaderKind::PostgresPooled(_) => {
                Err(StoreError::Refused("a snapshot cannot write".to_owned()))
            }
        };
        self.reader.noting(changed)
    }

    /// Interns user ids: each gets the integer that stands for it in every table.
    pub async fn intern_users(&self, names: &[&str]) -> Result<Vec<i64>, StoreError> {
        self.names.intern_users(self, names).await
    }

    /// Interns room ids: each gets the integer that stands for it in every table.
    pub async fn intern_rooms(&self, names: &[&str]) -> Result<Vec<i64>, StoreError> {
        self.names.intern_rooms(self, names).await
    }

    /// Runs `then` after this transaction has committed; never when it rolls back.
    ///
    /// Whatever was read or made inside the transaction must wait for this before a cache
    /// may hold it.
    pub fn on_commit(&self, then: impl FnOnce() + Send + 'static) {
        self.after_commit.lock().push(Box::new(then));
    }

    /// Whether a statement has failed. PostgreSQL answers COMMIT with success then, and rolls
    /// back.
    pub(crate) fn has_failed(&self) -> bool {
        self.reader.failed.load(Ordering::Relaxed)
    }

    pub(crate) fn run_after_commit(&self) {
        for then in std::mem::take(&mut *self.after_commit.lock()) {
            then();
        }
    }
}

/// Statements for tables outside the log, run in one transaction of their own.
#[derive(Debug, Default)]
pub struct LocalWrite {
    /// What must give a row, or nothing is written.
    pub(crate) guard: Option<(&'static str, Vec<Value>)>,
    pub(crate) steps: Vec<Step>,
}

impl LocalWrite {
    /// Makes an empty write.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a statement; its rows (`RETURNING`) come back in this order.
    #[must_use]
    pub fn and(mut self, sql: &'static str, params: Vec<Value>) -> Self {
        self.steps.push(Step::Execute(sql, params));
        self
    }

    /// Adds an insert of many rows; nothing comes back in its place.
    #[must_use]
    pub fn and_insert(mut self, insert: &'static Insert, rows: Vec<Vec<Value>>) -> Self {
        self.steps.push(Step::Insert(insert, rows));
        self
    }

    /// Lets the write stand only if this statement, which runs first, gives a row.
    pub(crate) fn only_if(mut self, sql: &'static str, params: Vec<Value>) -> Self {
        self.guard = Some((sql, params));
        self
    }
}

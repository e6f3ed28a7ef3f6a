//! SQLite: one writer connection for the committer, a few reader threads.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use parking_lot::Mutex;
use rusqlite::{
    OpenFlags,
    hooks::Wal,
    params_from_iter,
    types::{ToSqlOutput, ValueRef},
};
use tokio::sync::oneshot;

use super::{Insert, LocalWrite, Step, Writes};
use crate::{Row, StoreError, Value};

const STATEMENT_CACHE: usize = 512;

/// How large the write-ahead log may grow before it is copied back, in pages of 4 KiB.
const CHECKPOINT_PAGES: i32 = 2_000;

/// How many rows of a whole table are handed over at once, at most, and about how many bytes.
const PIECE_ROWS: usize = 512;
const PIECE_BYTES: usize = 512 * 1024;

/// Where rows of a whole table go.
type Pieces = tokio::sync::mpsc::Sender<Result<Vec<Row>, StoreError>>;

/// Tables, their columns and types.
pub(crate) const COLUMNS: &str = "SELECT t.name, c.name, c.type \
     FROM sqlite_master t JOIN pragma_table_info(t.name) c \
     WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' ORDER BY t.name, c.cid";

/// The rows of each statement of a local write, or why it was undone.
type LocalAnswer = Result<Vec<Vec<Row>>, StoreError>;

/// A connection that one thread uses at a time.
pub(crate) struct Connection {
    inner: Mutex<Inner>,
}

struct Inner {
    raw: rusqlite::Connection,
    rewritten: HashMap<&'static str, Arc<str>>,
    /// By the address of the static `Insert`.
    inserts: HashMap<usize, Arc<str>>,
}

impl Connection {
    /// Opens the file for writing, and makes it when it is missing.
    pub(crate) fn open_writer(path: &Path) -> Result<Self, StoreError> {
        let raw = rusqlite::Connection::open(path)?;
        raw.pragma_update(None, "journal_mode", "WAL")?;
        raw.pragma_update(None, "synchronous", "FULL")?;
        // Checkpoints run on a thread of their own.
        raw.pragma_update(None, "wal_autocheckpoint", 0)?;
        Self::prepared(raw)
    }

    /// Opens the file for reading only.
    pub(crate) fn open_reader(path: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let raw = rusqlite::Connection::open_with_flags(path, flags)?;
        raw.pragma_update(None, "query_only", true)?;
        Self::prepared(raw)
    }

    /// Opens a file that nobody reads before it is finished, and nobody after a crash.
    pub(crate) fn open_unjournaled(path: &Path) -> Result<Self, StoreError> {
        let raw = rusqlite::Connection::open(path)?;
        raw.pragma_update(None, "journal_mode", "OFF")?;
        raw.pragma_update(None, "synchronous", "OFF")?;
        Self::prepared(raw)
    }

    fn prepared(raw: rusqlite::Connection) -> Result<Self, StoreError> {
        raw.busy_timeout(Duration::from_secs(5))?;
        raw.pragma_update(None, "foreign_keys", false)?;
        raw.pragma_update(None, "cache_size", -32_768)?;
        raw.pragma_update(None, "temp_store", "MEMORY")?;
        raw.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
        let inner = Inner {
            raw,
            rewritten: HashMap::new(),
            inserts: HashMap::new(),
        };
        Ok(Self {
            inner: Mutex::new(inner),
        })
    }

    pub(crate) fn query(
        &self,
        sql: &'static str,
        params: &[Value],
    ) -> Result<Vec<Row>, StoreError> {
        self.inner.lock().query(sql, params)
    }

    pub(crate) fn execute(&self, sql: &'static str, params: &[Value]) -> Result<u64, StoreError> {
        let mut inner = self.inner.lock();
        let text = inner.rewrite(sql);
        let mut statement = inner.raw.prepare_cached(&text)?;
        Ok(statement.execute(params_from_iter(params))? as u64)
    }

    pub(crate) fn insert_many(
        &self,
        insert: &'static Insert,
        rows: &[Vec<Value>],
    ) -> Result<u64, StoreError> {
        let mut inner = self.inner.lock();
        let text = inner.insert_text(insert);
        let mut statement = inner.raw.prepare_cached(&text)?;
        let mut changed = 0;
        for row in rows {
            changed += statement.execute(params_from_iter(row))? as u64;
        }
        Ok(changed)
    }

    /// Adds rows in one transaction of their own.
    pub(crate) fn append(&self, sql: &str, rows: &[Row]) -> Result<(), StoreError> {
        let inner = self.inner.lock();
        inner.raw.execute_batch("BEGIN IMMEDIATE")?;
        let added = (|| {
            let mut statement = inner.raw.prepare_cached(sql)?;
            for row in rows {
                statement.execute(params_from_iter(&row.0))?;
            }
            Ok::<_, StoreError>(())
        })();
        match added {
            Ok(()) => Ok(inner.raw.execute_batch("COMMIT")?),
            Err(error) => {
                // Without a journal there is nothing to go back to; the first error tells more.
                drop(inner.raw.execute_batch("ROLLBACK"));
                Err(error)
            }
        }
    }

    /// Hands over all rows of a query in pieces, until nobody takes them any more.
    pub(crate) fn scan(&self, sql: &str, pieces: &Pieces) {
        if let Err(error) = self.inner.lock().scan(sql, pieces) {
            drop(pieces.blocking_send(Err(error)));
        }
    }

    /// Runs what a batch writes, inside its transaction.
    pub(crate) fn write(&self, writes: &Writes) -> Result<(), StoreError> {
        for step in &writes.steps {
            match step {
                Step::Insert(insert, rows) => self.insert_many(insert, rows)?,
                Step::Execute(sql, params) => self.execute(sql, params)?,
            };
        }
        Ok(())
    }

    /// Runs local writes in one transaction; each fails alone.
    pub(crate) fn local_writes(
        &self,
        writes: &[LocalWrite],
    ) -> Result<Vec<LocalAnswer>, StoreError> {
        self.batch("BEGIN IMMEDIATE")?;
        let run = || {
            let written = writes.iter().map(|write| self.local_write(write));
            let written = written.collect::<Result<_, _>>()?;
            self.batch("COMMIT")?;
            Ok(written)
        };
        let written = run();
        if written.is_err() && self.in_transaction() {
            self.batch("ROLLBACK")?;
        }
        written
    }

    /// One write, undone when it fails. The outer error says that the transaction is over.
    fn local_write(&self, write: &LocalWrite) -> Result<LocalAnswer, StoreError> {
        self.batch("SAVEPOINT one_write")?;
        let statements = write.statements.iter();
        let written: Result<Vec<_>, _> = statements
            .map(|(sql, params)| self.query(sql, params))
            .collect();
        if written.is_err() {
            self.batch("ROLLBACK TO one_write")?;
        }
        self.batch("RELEASE one_write")?;
        Ok(written)
    }

    /// Wakes the checkpointer after each commit that leaves the write-ahead log too long.
    pub(crate) fn when_grown(&self, checkpointer: Checkpointer) -> Result<(), StoreError> {
        let hook = move |_: &mut Wal, pages| {
            if pages >= CHECKPOINT_PAGES {
                // The thread ends only with this sender.
                let _ = checkpointer.wake.send(());
            }
            Ok(())
        };
        Ok(self.inner.lock().raw.wal_hook(Some(hook))?)
    }

    /// Runs statements that take no parameters, such as a migration.
    pub(crate) fn batch(&self, sql: &str) -> Result<(), StoreError> {
        Ok(self.inner.lock().raw.execute_batch(sql)?)
    }

    /// Whether a transaction is open, which an error may have ended.
    pub(crate) fn in_transaction(&self) -> bool {
        !self.inner.lock().raw.is_autocommit()
    }
}

impl Inner {
    fn query(&mut self, sql: &'static str, params: &[Value]) -> Result<Vec<Row>, StoreError> {
        let text = self.rewrite(sql);
        let mut statement = self.raw.prepare_cached(&text)?;
        let columns = statement.column_count();
        let mut rows = statement.query(params_from_iter(params))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let values = (0..columns).map(|index| Ok(from_sqlite(row.get_ref(index)?)));
            found.push(Row(values.collect::<Result<_, StoreError>>()?));
        }
        Ok(found)
    }

    fn scan(&mut self, sql: &str, pieces: &Pieces) -> Result<(), StoreError> {
        let mut statement = self.raw.prepare(sql)?;
        let columns = statement.column_count();
        let mut rows = statement.query([])?;
        let (mut piece, mut size_bytes) = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            let values = (0..columns).map(|index| Ok(from_sqlite(row.get_ref(index)?)));
            let row = Row(values.collect::<Result<_, StoreError>>()?);
            size_bytes += row.size_bytes();
            piece.push(row);
            if (piece.len() >= PIECE_ROWS || size_bytes >= PIECE_BYTES)
                && pieces
                    .blocking_send(Ok(std::mem::take(&mut piece)))
                    .is_err()
            {
                return Ok(());
            }
            if piece.is_empty() {
                size_bytes = 0;
            }
        }
        if !piece.is_empty() {
            drop(pieces.blocking_send(Ok(piece)));
        }
        Ok(())
    }

    fn rewrite(&mut self, sql: &'static str) -> Arc<str> {
        self.rewritten
            .entry(sql)
            .or_insert_with(|| question_marks(sql).into())
            .clone()
    }

    fn insert_text(&mut self, insert: &'static Insert) -> Arc<str> {
        self.inserts
            .entry(std::ptr::from_ref(insert).addr())
            .or_insert_with(|| text_of(insert))
            .clone()
    }
}

fn text_of(insert: &Insert) -> Arc<str> {
    let names: Vec<_> = insert.columns.iter().map(|(name, _)| *name).collect();
    let places: Vec<_> = (1..=names.len()).map(|place| format!("?{place}")).collect();
    let Insert {
        table, on_conflict, ..
    } = insert;
    let (names, places) = (names.join(", "), places.join(", "));
    format!("INSERT INTO {table} ({names}) VALUES ({places}) {on_conflict}").into()
}

/// Turns `$1` into `?1`, outside of string literals.
fn question_marks(sql: &str) -> String {
    let mut quoted = false;
    sql.chars()
        .map(|character| match character {
            '\'' => {
                quoted = !quoted;
                character
            }
            '$' if !quoted => '?',
            _ => character,
        })
        .collect()
}

fn from_sqlite(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(value) => Value::Int(value),
        // No column holds a float; a sum of integers that overflowed is the only way here.
        ValueRef::Real(value) => Value::Text(value.to_string()),
        ValueRef::Text(value) => Value::Text(String::from_utf8_lossy(value).into_owned()),
        ValueRef::Blob(value) => Value::Bytes(value.to_vec()),
    }
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(value) => ValueRef::Integer(*value),
            // PostgreSQL refuses it, so a test on either engine finds it.
            Self::Text(value) if value.contains('\0') => {
                return Err(rusqlite::Error::ToSqlConversionFailure(
                    "a text with NUL inside".into(),
                ));
            }
            Self::Text(value) => ValueRef::Text(value.as_bytes()),
            Self::Bytes(value) => ValueRef::Blob(value),
        }))
    }
}

type Job = Box<dyn FnOnce(&Connection) + Send>;

/// Reader threads, each with a connection, lent to one snapshot at a time.
pub(crate) struct Readers {
    idle: Mutex<Vec<mpsc::Sender<Job>>>,
    permits: Arc<tokio::sync::Semaphore>,
}

impl Readers {
    pub(crate) fn start(path: &Path, count: usize) -> Result<Arc<Self>, StoreError> {
        let mut idle = Vec::new();
        for index in 0..count {
            let connection = Connection::open_reader(path)?;
            let (jobs, queue) = mpsc::channel::<Job>();
            spawn(format!("reader-{index}"), move || {
                while let Ok(job) = queue.recv() {
                    job(&connection);
                }
            })?;
            idle.push(jobs);
        }
        let permits = Arc::new(tokio::sync::Semaphore::new(count));
        Ok(Arc::new(Self {
            idle: Mutex::new(idle),
            permits,
        }))
    }

    /// Waits for a free thread.
    pub(crate) async fn lease(self: &Arc<Self>) -> Result<ReaderLease, StoreError> {
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|_| stopped())?;
        let jobs = self.idle.lock().pop().ok_or_else(stopped)?;
        Ok(ReaderLease {
            jobs,
            readers: Arc::clone(self),
            permit: Some(permit),
        })
    }
}

/// A reader thread that one snapshot has to itself.
pub(crate) struct ReaderLease {
    jobs: mpsc::Sender<Job>,
    readers: Arc<Readers>,
    permit: Option<tokio::sync::OwnedSemaphorePermit>,
}

impl ReaderLease {
    pub(crate) async fn query(
        &self,
        sql: &'static str,
        params: &[Value],
    ) -> Result<Vec<Row>, StoreError> {
        let params = params.to_vec();
        self.run(move |connection| connection.query(sql, &params))
            .await
    }

    /// Begins a read transaction, so that all queries see one moment.
    pub(crate) async fn begin(&self) -> Result<(), StoreError> {
        self.run(|connection| connection.batch("BEGIN")).await
    }

    /// Reads all rows of a query; this thread does nothing else meanwhile.
    pub(crate) fn scan(
        &self,
        sql: String,
    ) -> Result<tokio::sync::mpsc::Receiver<Result<Vec<Row>, StoreError>>, StoreError> {
        let (sender, pieces) = tokio::sync::mpsc::channel(1);
        let job: Job = Box::new(move |connection| connection.scan(&sql, &sender));
        self.jobs.send(job).map_err(|_| stopped())?;
        Ok(pieces)
    }

    async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| drop(answer.send(job(connection))));
        self.jobs.send(job).map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }
}

impl Drop for ReaderLease {
    fn drop(&mut self) {
        // The thread is lent again only after the transaction has ended.
        let (jobs, readers) = (self.jobs.clone(), Arc::clone(&self.readers));
        let permit = self.permit.take();
        let job: Job = Box::new(move |connection| {
            if connection.in_transaction()
                && let Err(error) = connection.batch("ROLLBACK")
            {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "a read did not end"
                );
            }
            readers.idle.lock().push(jobs);
            drop(permit);
        });
        drop(self.jobs.send(job));
    }
}

fn stopped() -> StoreError {
    StoreError::Unavailable("the reader threads have stopped".to_owned())
}

/// Copies the write-ahead log back into the file, beside the committer.
pub(crate) struct Checkpointer {
    wake: mpsc::Sender<()>,
}

impl Checkpointer {
    pub(crate) fn start(path: &Path) -> Result<Self, StoreError> {
        let (wake, woken) = mpsc::channel();
        let raw = rusqlite::Connection::open(path)?;
        raw.busy_timeout(Duration::from_secs(1))?;
        spawn("checkpointer".to_owned(), move || {
            while woken.recv().is_ok() {
                while woken.try_recv().is_ok() {}
                if let Err(error) = raw.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
                {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "checkpoint failed"
                    );
                }
            }
        })?;
        Ok(Self { wake })
    }
}

pub(crate) fn spawn(
    name: String,
    body: impl FnOnce() + Send + 'static,
) -> Result<thread::JoinHandle<()>, StoreError> {
    thread::Builder::new()
        .name(name)
        .spawn(body)
        .map_err(|error| StoreError::Unavailable(format!("cannot start a thread: {error}")))
}

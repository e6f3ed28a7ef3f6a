//! SQLite: one writer connection for the committer, a few reader threads.

mod checkpointer;
mod readers;

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, OnceLock},
    thread,
    time::Duration,
};

use parking_lot::Mutex;
use rusqlite::{
    OpenFlags,
    config::DbConfig,
    params_from_iter,
    types::{ToSqlOutput, ValueRef},
};

pub(crate) use self::{
    checkpointer::Checkpointer,
    readers::{ReaderLease, Readers},
};
use super::{Insert, LocalWrite, Step, Writes};
use crate::{Row, StoreError, Value};

const STATEMENT_CACHE: usize = 512;

/// What the writer and each reader keep of the file, in KiB.
const WRITER_CACHE_KIB: i32 = 8_192;
const READER_CACHE_KIB: i32 = 2_048;

/// How many rows of a whole table are handed over at once, at most, and about how many bytes.
const PIECE_ROWS: usize = 512;
const PIECE_BYTES: usize = 512 * 1024;

/// Some rows of a whole table.
type Piece = Result<Vec<Row>, StoreError>;

/// Where they go.
type Pieces = tokio::sync::mpsc::Sender<Piece>;

/// Tables, their columns and types.
pub(crate) const COLUMNS: &str = "SELECT t.name, c.name, c.type \
     FROM sqlite_master t JOIN pragma_table_info(t.name) c \
     WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' ORDER BY t.name, c.cid";

/// The rows of each statement of a local write, or why it was undone.
type LocalAnswer = Result<Vec<Vec<Row>>, StoreError>;

/// A connection that one thread uses at a time.
pub(crate) struct Connection {
    inner: Mutex<Inner>,
    /// Only the committer's has one.
    checkpointer: OnceLock<Checkpointer>,
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
        raw.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
        Self::prepared(raw)
    }

    /// Opens the file for reading only.
    pub(crate) fn open_reader(path: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let raw = rusqlite::Connection::open_with_flags(path, flags)?;
        raw.pragma_update(None, "query_only", true)?;
        raw.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
        Self::prepared(raw)
    }

    /// Opens a file that nobody writes meanwhile for reading only: nothing is made beside it.
    pub(crate) fn open_unchanging(path: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_URI;
        let mut uri = "file:".to_owned();
        for byte in path.as_os_str().as_encoded_bytes() {
            match byte {
                b'/' | b'.' | b'-' | b'_' => uri.push(char::from(*byte)),
                byte if byte.is_ascii_alphanumeric() => uri.push(char::from(*byte)),
                byte => uri.push_str(&format!("%{byte:02x}")),
            }
        }
        uri.push_str("?immutable=1");
        Self::prepared(rusqlite::Connection::open_with_flags(uri, flags)?)
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
        // A statement keeps its plan, whatever its parameters are, and is prepared once.
        raw.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        raw.pragma_update(None, "foreign_keys", false)?;
        raw.pragma_update(None, "temp_store", "MEMORY")?;
        raw.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
        let inner = Inner {
            raw,
            rewritten: HashMap::new(),
            inserts: HashMap::new(),
        };
        Ok(Self {
            inner: Mutex::new(inner),
            checkpointer: OnceLock::new(),
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
        self.begin_immediate()?;
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
        let written = self.steps_of(write);
        if written.is_err() {
            self.batch("ROLLBACK TO one_write")?;
        }
        self.batch("RELEASE one_write")?;
        Ok(written)
    }

    fn steps_of(&self, write: &LocalWrite) -> LocalAnswer {
        if let Some((sql, params)) = &write.guard
            && self.query(sql, params)?.is_empty()
        {
            return Err(StoreError::TakenOver);
        }
        let written = write.steps.iter().map(|step| match step {
            Step::Execute(sql, params) => self.query(sql, params),
            Step::Insert(insert, rows) => self.insert_many(insert, rows).map(|_| Vec::new()),
        });
        written.collect()
    }

    /// Lets the checkpointer work beside this connection whenever its commits have left the
    /// write-ahead log too long.
    pub(crate) fn checkpoint_with(&self, checkpointer: Checkpointer) -> Result<(), StoreError> {
        let hook = checkpointer.hook();
        self.inner.lock().raw.wal_hook(Some(hook))?;
        // The log of a database starts once.
        let _ = self.checkpointer.set(checkpointer);
        Ok(())
    }

    /// Begins a transaction that writes.
    pub(crate) fn begin_immediate(&self) -> Result<(), StoreError> {
        if let Some(checkpointer) = self.checkpointer.get() {
            checkpointer.copy_last_pages(&self.inner.lock().raw);
        }
        self.batch("BEGIN IMMEDIATE")
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

/// A migration as SQLite should read it: what PostgreSQL calls a BIGINT is, as a primary key of
/// this name, the order of the rows themselves, without an index beside them.
pub(crate) fn schema_text(sql: &str) -> String {
    sql.replace(
        "BIGINT NOT NULL PRIMARY KEY",
        "INTEGER NOT NULL PRIMARY KEY",
    )
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

pub(crate) fn spawn(
    name: String,
    body: impl FnOnce() + Send + 'static,
) -> Result<thread::JoinHandle<()>, StoreError> {
    thread::Builder::new()
        .name(name)
        .spawn(body)
        .map_err(|error| StoreError::Unavailable(format!("cannot start a thread: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_writer_flushes_every_commit() {
        let folder = tempfile::tempdir().unwrap();
        let writer = Connection::open_writer(&folder.path().join("conclave.db")).unwrap();
        let setting = |sql| writer.query(sql, &[]).unwrap().remove(0);
        // FULL: the write-ahead log is on the disk before COMMIT returns.
        assert_eq!(setting("PRAGMA synchronous").int(0).unwrap(), 2);
        assert_eq!(setting("PRAGMA journal_mode").text(0).unwrap(), "wal");
    }
}

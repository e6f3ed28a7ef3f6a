//! A file that holds tables and nothing else: no index, no journal, one writer, then readers.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::sync::mpsc;

use super::{Scan, Table, declared, quoted};
use crate::{Row, StoreError, engine::sqlite};

/// A SQLite file with the tables of a deployment, whichever engine they came from.
pub struct TableFile {
    connection: Arc<sqlite::Connection>,
    path: PathBuf,
}

impl TableFile {
    /// Before the first row of any table.
    pub const START: i64 = i64::MIN;

    /// Makes the file, for its owner alone; refuses one that is there.
    ///
    /// A crash leaves an unusable file behind: what it is part of must say when it is whole.
    pub async fn create(path: PathBuf) -> Result<Self, StoreError> {
        let made = path.clone();
        let connection = blocking(move || {
            OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&made)
                .map_err(|error| cannot("make", &made, &error))?;
            sqlite::Connection::open_unjournaled(&made)
        })
        .await?;
        Ok(Self {
            connection: Arc::new(connection),
            path,
        })
    }

    /// Opens a finished file for reading; nothing is written beside it.
    pub async fn open(path: PathBuf) -> Result<Self, StoreError> {
        let opened = path.clone();
        let connection = blocking(move || {
            File::open(&opened).map_err(|error| cannot("open", &opened, &error))?;
            sqlite::Connection::open_reader(&opened)
        })
        .await?;
        Ok(Self {
            connection: Arc::new(connection),
            path,
        })
    }

    /// Adds a table without rows.
    pub async fn add_table(&self, table: &Table) -> Result<(), StoreError> {
        let columns = table.columns.iter();
        let columns = columns.map(|(name, kind)| format!("{} {}", quoted(name), declared(*kind)));
        let columns: Vec<_> = columns.collect();
        let sql = format!(
            "CREATE TABLE {} ({})",
            quoted(&table.name),
            columns.join(", ")
        );
        let connection = Arc::clone(&self.connection);
        blocking(move || connection.batch(&sql)).await
    }

    /// Adds rows to a table; gives them back for whoever counts them.
    pub async fn append(&self, table: &Table, rows: Vec<Row>) -> Result<Vec<Row>, StoreError> {
        let sql = insert_of(table);
        let connection = Arc::clone(&self.connection);
        blocking(move || {
            connection.append(&sql, &rows)?;
            Ok(rows)
        })
        .await
    }

    /// Closes the file and makes it durable.
    pub async fn finish(self) -> Result<(), StoreError> {
        blocking(move || {
            let Self { connection, path } = self;
            drop(connection);
            let synced = File::open(&path).and_then(|file| file.sync_all());
            synced.map_err(|error| cannot("make durable", &path, &error))
        })
        .await
    }

    /// The tables in it, by name.
    pub async fn tables(&self) -> Result<Vec<Table>, StoreError> {
        let connection = Arc::clone(&self.connection);
        let rows = blocking(move || connection.query(sqlite::COLUMNS, &[])).await?;
        Table::gather(&rows)
    }

    /// Reads all rows of a table, in the order in which they were added.
    pub fn scan(&self, table: &Table) -> Scan<'static> {
        self.scan_sql(table.select())
    }

    /// Reads the rows of a table behind one that was read before, in an order that stays the same
    /// as long as nobody writes. Each row ends with its place in that order; the first has a
    /// place above [`TableFile::START`].
    pub fn scan_after(&self, table: &Table, place: i64) -> Scan<'static> {
        self.scan_sql(format!(
            "SELECT {}, rowid FROM {} WHERE rowid > {place} ORDER BY rowid",
            table.names(),
            quoted(&table.name)
        ))
    }

    /// How many rows a table has behind a place.
    pub async fn count_after(&self, table: &Table, place: i64) -> Result<u64, StoreError> {
        let mut scan = self.scan_sql(format!(
            "SELECT COUNT(*) FROM {} WHERE rowid > {place}",
            quoted(&table.name)
        ));
        let rows = scan.next().await?.unwrap_or_default();
        let count = rows.first().map_or(Ok(0), |row| row.int(0))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    fn scan_sql(&self, sql: String) -> Scan<'static> {
        let (sender, pieces) = mpsc::channel(1);
        let connection = Arc::clone(&self.connection);
        tokio::task::spawn_blocking(move || connection.scan(&sql, &sender));
        Scan::from_channel(pieces)
    }
}

pub(super) fn insert_of(table: &Table) -> String {
    let places: Vec<_> = (1..=table.columns.len())
        .map(|place| format!("?{place}"))
        .collect();
    format!(
        "INSERT INTO {} ({}) VALUES ({})",
        quoted(&table.name),
        table.names(),
        places.join(", ")
    )
}

fn cannot(doing: &str, path: &Path, error: &io::Error) -> StoreError {
    StoreError::Refused(format!("cannot {doing} {}: {error}", path.display()))
}

/// Runs what may block where it may.
pub(super) async fn blocking<T: Send + 'static>(
    job: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(job).await;
    done.unwrap_or_else(|error| {
        let sentence = format!("a file operation ended early: {error}");
        Err(StoreError::Unavailable(sentence))
    })
}

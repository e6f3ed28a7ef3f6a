//! Reading a whole table in bounded pieces.

use tokio::sync::mpsc;

use super::Table;
use crate::{
    Reader, Row, StoreError,
    engine::{ReaderKind, postgres, sqlite},
};

/// All rows of a table, as they are read; no piece is larger than about a megabyte, but for one
/// row that is.
pub struct Scan<'a> {
    kind: Kind<'a>,
}

enum Kind<'a> {
    /// A thread reads ahead by one piece, and stops when nobody asks any more.
    Channel(mpsc::Receiver<Result<Vec<Row>, StoreError>>),
    Cursor(postgres::Cursor<'a>),
}

impl Scan<'_> {
    pub(crate) fn from_channel(pieces: mpsc::Receiver<Result<Vec<Row>, StoreError>>) -> Self {
        Self {
            kind: Kind::Channel(pieces),
        }
    }

    /// The next rows; `None` when there are no more.
    pub async fn next(&mut self) -> Result<Option<Vec<Row>>, StoreError> {
        match &mut self.kind {
            Kind::Channel(pieces) => pieces.recv().await.transpose(),
            Kind::Cursor(cursor) => cursor.next().await,
        }
    }
}

impl Reader {
    /// Reads all rows of a table, in no order. One scan at a time: the next one waits, or is
    /// refused.
    pub async fn scan(&self, table: &Table) -> Result<Scan<'_>, StoreError> {
        let kind = match &self.kind {
            ReaderKind::SqliteThere(lease) => Kind::Channel(lease.scan(table.select())?),
            ReaderKind::PostgresPooled(lease) => {
                Kind::Cursor(lease.session().scan(&table.select()).await?)
            }
            ReaderKind::SqliteHere(_) | ReaderKind::Postgres(_) => {
                let sentence = "a batch does not read whole tables".to_owned();
                return Err(StoreError::Refused(sentence));
            }
        };
        Ok(Scan { kind })
    }

    /// The tables of the whole schema, by name.
    pub(crate) async fn all_tables(&self) -> Result<Vec<Table>, StoreError> {
        let sql = match &self.kind {
            ReaderKind::SqliteHere(_) | ReaderKind::SqliteThere(_) => sqlite::COLUMNS,
            ReaderKind::Postgres(_) | ReaderKind::PostgresPooled(_) => postgres::COLUMNS,
        };
        Table::gather(&self.query(sql, &[]).await?)
    }
}

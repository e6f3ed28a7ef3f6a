//! Rows on their way, and the proof that they have arrived.

use store::{Database, DatabaseOptions, Row, StoreError, Table, TableFile, Value};

use super::{Move, Progress};
use crate::{CopyError, tables::digest_telling};

/// Rows that have arrived, and were compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowsMoved {
    /// In how many tables.
    pub tables: u64,
    /// How many.
    pub rows: u64,
}

impl Move<'_> {
    /// Copies what is not there yet of each table, and makes keys and indexes when all is.
    pub async fn move_rows(&self) -> Result<(), CopyError> {
        let mut total = 0;
        for table in &self.origin.tables {
            let place = self.moving.place_in(table).unwrap_or(TableFile::START);
            total += self.origin.file.count_after(table, place).await?;
        }
        let what = "copying rows";
        (self.watch)(Progress::Begins { what, total });
        for table in &self.origin.tables {
            self.move_table(table).await?;
        }
        (self.watch)(Progress::Ends);
        let what = "building keys and indexes";
        let total = self.moving.indexes_left() as u64;
        (self.watch)(Progress::Begins { what, total });
        while self.moving.make_index().await? {
            self.goes("", 1, 0);
        }
        self.moving.analyse(&self.origin.tables).await?;
        (self.watch)(Progress::Ends);
        Ok(())
    }

    async fn move_table(&self, table: &Table) -> Result<(), StoreError> {
        let place = self.moving.place_in(table).unwrap_or(TableFile::START);
        let mut scan = self.origin.file.scan_after(table, place);
        let (mut count, mut size_bytes) = (0, 0);
        while let Some(mut rows) = scan.next().await? {
            let mut last = place;
            for row in &mut rows {
                last = row.take_last_int()?;
            }
            let (piece, piece_bytes) = (rows.len() as u64, size_of(&rows));
            self.moving.append(table, rows, last).await?;
            self.goes(&table.name, piece, piece_bytes);
            count += piece;
            size_bytes += piece_bytes;
        }
        self.done(&table.name, count, size_bytes);
        Ok(())
    }

    /// Reads every row at both places, and compares each table by count and digest: what an engine
    /// took may still not be what it gives.
    pub async fn compare_rows(&self, options: DatabaseOptions) -> Result<RowsMoved, CopyError> {
        let database = Database::open_as_it_is(options).await?;
        let snapshot = database.snapshot().await?;
        let (what, mut moved) = ("comparing rows", RowsMoved { tables: 0, rows: 0 });
        let mut total = 0;
        for table in &self.origin.tables {
            total += self
                .origin
                .file
                .count_after(table, TableFile::START)
                .await?;
        }
        (self.watch)(Progress::Begins { what, total });
        for table in &self.origin.tables {
            let here = digest_telling(self.origin.file.scan(table), |rows| {
                self.goes(&table.name, rows.len() as u64, size_of(rows));
            });
            let there = async { digest_telling(snapshot.scan(table).await?, |_| ()).await };
            let (here, there) = tokio::try_join!(here, there)?;
            if here != there {
                let (left, arrived) = (here.rows(), there.rows());
                let what = format!(
                    "the table {} ({left} rows there, {arrived} here)",
                    table.name
                );
                return Err(CopyError::Differs { what });
            }
            moved.tables += 1;
            moved.rows += here.rows();
        }
        (self.watch)(Progress::Ends);
        Ok(moved)
    }

    pub(super) fn goes(&self, name: &str, count: u64, size_bytes: u64) {
        (self.watch)(Progress::Goes {
            name,
            count,
            size_bytes,
        });
    }

    pub(super) fn done(&self, name: &str, count: u64, size_bytes: u64) {
        (self.watch)(Progress::Done {
            name,
            count,
            size_bytes,
        });
    }
}

/// How much is stored in rows: eight bytes for each number.
fn size_of(rows: &[Row]) -> u64 {
    let values = rows.iter().flat_map(Row::values);
    let sizes = values.map(|value| match value {
        Value::Null => 0,
        Value::Int(_) => 8,
        Value::Text(text) => text.len() as u64,
        Value::Bytes(bytes) => bytes.len() as u64,
    });
    sizes.sum()
}

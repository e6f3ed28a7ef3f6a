//! Tables on their way into a copy, and the proof that they have arrived.

use std::collections::BTreeMap;

use store::{Row, Scan, Snapshot, StoreError, Table, TableFile};

use crate::{
    CopyError, Tell,
    digest::{RowsDigest, of_file},
    folder::{Folder, blocking},
    manifest::{Part, TableSummary},
};

/// What was copied of each table.
pub(crate) type Summaries = BTreeMap<String, TableSummary>;

/// After how many rows a person is told.
const TELL_ROWS: u64 = 500_000;

/// Copies tables from one moment into a file.
pub(crate) struct TableCopier<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) left_out: &'a [&'a str],
    pub(crate) tell: Tell<'a>,
    rows: u64,
}

impl<'a> TableCopier<'a> {
    pub(crate) fn new(snapshot: &'a Snapshot, left_out: &'a [&'a str], tell: Tell<'a>) -> Self {
        Self {
            snapshot,
            left_out,
            tell,
            rows: 0,
        }
    }

    /// Writes the tables into a new file, and makes it durable.
    pub(crate) async fn copy(
        &mut self,
        folder: &Folder,
        name: &'static str,
        tables: &[&Table],
    ) -> Result<Summaries, CopyError> {
        let file = TableFile::create(folder.entry(name)).await?;
        let mut summaries = Summaries::new();
        for table in tables {
            file.add_table(table).await?;
            let summary = self.copy_table(&file, table).await?;
            summaries.insert(table.name.clone(), summary);
        }
        file.finish().await?;
        Ok(summaries)
    }

    async fn copy_table(
        &mut self,
        file: &TableFile,
        table: &Table,
    ) -> Result<TableSummary, CopyError> {
        let mut digest = RowsDigest::default();
        if self.left_out.contains(&table.name.as_str()) {
            return Ok(TableSummary {
                left_out: true,
                ..TableSummary::from(&digest)
            });
        }
        let mut scan = self.snapshot.scan(table).await?;
        while let Some(rows) = scan.next().await? {
            let before = self.rows / TELL_ROWS;
            self.rows += rows.len() as u64;
            for row in file.append(table, rows).await? {
                digest.add(&row);
            }
            if self.rows / TELL_ROWS > before {
                (self.tell)(&format!("{} rows of the database", self.rows));
            }
        }
        Ok(TableSummary::from(&digest))
    }
}

/// Reads a file of tables back, as a whole and row by row. No snapshot is needed any more.
pub(crate) async fn read_back(
    folder: &Folder,
    name: &'static str,
    tables: Summaries,
) -> Result<Part, CopyError> {
    let path = folder.entry(name);
    let (sha256, size_bytes) =
        blocking(move || of_file(&path).map_err(|error| CopyError::io("read back", &path, error)))
            .await?;
    let part = Part {
        size_bytes,
        sha256,
        tables,
    };
    check_tables(folder, name, &part).await?;
    Ok(part)
}

/// Reads every row of a file of tables, and compares with what was written.
pub(crate) async fn check_tables(
    folder: &Folder,
    name: &'static str,
    part: &Part,
) -> Result<(), CopyError> {
    let file = TableFile::open(folder.entry(name)).await?;
    let tables = file.tables().await.map_err(|_| unreadable(name))?;
    let names: Vec<&String> = tables.iter().map(|table| &table.name).collect();
    if names != part.tables.keys().collect::<Vec<_>>() {
        return Err(CopyError::damaged(
            name,
            "it holds other tables than it must",
        ));
    }
    for table in &tables {
        let stands = digest_of(file.scan(table))
            .await
            .map_err(|_| unreadable(name))?;
        check_summary(name, &table.name, part, &stands)?;
    }
    Ok(())
}

/// Compares the rows that a table holds with those that it must hold.
pub(crate) fn check_summary(
    place: &str,
    table: &str,
    part: &Part,
    stands: &RowsDigest,
) -> Result<(), CopyError> {
    let expected = part.tables.get(table);
    let same = expected.is_some_and(|expected| {
        expected.rows == stands.rows() && expected.digest == stands.to_hex()
    });
    if same {
        return Ok(());
    }
    let what = format!("the rows of the table {table} are not those that were copied");
    Err(CopyError::damaged(place, what))
}

/// The digest of all rows.
pub(crate) async fn digest_of(scan: Scan<'_>) -> Result<RowsDigest, StoreError> {
    digest_telling(scan, |_| ()).await
}

/// The digest of all rows, telling of those that pass.
pub(crate) async fn digest_telling(
    mut scan: Scan<'_>,
    tell: impl Fn(&[Row]),
) -> Result<RowsDigest, StoreError> {
    let mut digest = RowsDigest::default();
    while let Some(rows) = scan.next().await? {
        rows.iter().for_each(|row| digest.add(row));
        tell(&rows);
    }
    Ok(digest)
}

fn unreadable(name: &str) -> CopyError {
    CopyError::damaged(name, "its tables cannot be read")
}

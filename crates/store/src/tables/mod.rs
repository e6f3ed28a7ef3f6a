//! Whole tables, read and written row by row without knowing what they mean: for copies of a
//! deployment, and for moving one to another engine.

mod file;
mod filling;
mod moving;
mod scan;

pub use file::TableFile;
pub use filling::Filling;
pub use moving::{Begun, Moving};
pub use scan::Scan;

use crate::{ColumnType, Row, StoreError};

/// A table that exists only while a database is being filled from a copy: nothing else opens it.
pub(crate) const MARK: &str = "unfinished_restore";

/// Makes the mark.
pub(crate) const MAKE_MARK: &str = "CREATE TABLE unfinished_restore (since BIGINT NOT NULL)";

/// Removes the mark, in the transaction that finishes the restore.
pub(crate) const DROP_MARK: &str = "DROP TABLE IF EXISTS unfinished_restore";

/// A table that exists only while a deployment moves into a database: what is known of the move, so
/// that it goes on where it was interrupted.
pub(crate) const MOVE_MARK: &str = "unfinished_move";

/// Removes it, in the transaction that finishes the move.
pub(crate) const DROP_MOVE_MARK: &str = "DROP TABLE IF EXISTS unfinished_move";

/// Which steps of the schema made a database.
pub(crate) const LEDGER_TABLE: &str = "schema_migrations";

/// A table as an engine describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns, in order.
    pub columns: Vec<(String, ColumnType)>,
}

impl Table {
    /// Gathers tables from rows of table, column and type, ordered by table.
    pub(crate) fn gather(rows: &[Row]) -> Result<Vec<Self>, StoreError> {
        let mut tables: Vec<Self> = Vec::new();
        for row in rows {
            let (table, column) = (row.text(0)?, row.text(1)?.to_owned());
            let kind = kind_of(row.text(2)?).ok_or_else(|| {
                StoreError::Refused(format!("{table}.{column} is of a type that no copy holds"))
            })?;
            match tables.last_mut() {
                Some(last) if last.name == table => last.columns.push((column, kind)),
                _ => tables.push(Self {
                    name: table.to_owned(),
                    columns: vec![(column, kind)],
                }),
            }
        }
        Ok(tables)
    }

    /// The statement that reads these columns of all rows, in no order.
    pub(crate) fn select(&self) -> String {
        format!("SELECT {} FROM {}", self.names(), quoted(&self.name))
    }

    pub(crate) fn names(&self) -> String {
        let names: Vec<_> = self.columns.iter().map(|(name, _)| quoted(name)).collect();
        names.join(", ")
    }
}

fn kind_of(declared: &str) -> Option<ColumnType> {
    match declared.to_ascii_uppercase().as_str() {
        // On SQLite an integer that is a key alone is declared so.
        "BIGINT" | "INTEGER" => Some(ColumnType::Int),
        "TEXT" => Some(ColumnType::Text),
        "BYTEA" => Some(ColumnType::Bytes),
        _ => None,
    }
}

pub(crate) fn declared(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Int => "BIGINT",
        ColumnType::Text => "TEXT",
        ColumnType::Bytes => "BYTEA",
    }
}

/// A name as both engines quote it: one that comes from a file stays a name.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_from_outside_stays_a_name() {
        assert_eq!(quoted(r#"a" FROM b; --"#), r#""a"" FROM b; --""#);
    }
}

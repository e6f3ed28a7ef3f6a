//! Inserting rows and noting how far that has come, in one statement.

use tokio_postgres::{Statement, types::ToSql};

use super::{
    Session,
    values::{Column, check_table_rows, noting_text_of_table},
};
use crate::{Row, StoreError, Table, Value};

/// A prepared insert into one table, and the name of its note.
pub(crate) struct Inserting {
    statement: Statement,
    note_name: String,
}

impl Session {
    /// Prepares an insert that also notes something in a table of names and values.
    pub(crate) async fn prepare_noting(
        &self,
        table: &Table,
        notes: &str,
        note_name: &str,
    ) -> Result<Inserting, StoreError> {
        let sql = noting_text_of_table(table, notes);
        let preparing = async { Ok(self.client.prepare(&sql).await?) };
        Ok(Inserting {
            statement: self.in_time(preparing).await?,
            note_name: note_name.to_owned(),
        })
    }

    /// Adds rows, and notes this value: both or nothing.
    pub(crate) async fn insert_noting(
        &self,
        insert: &Inserting,
        table: &Table,
        rows: Vec<Row>,
        note: &str,
    ) -> Result<(), StoreError> {
        let rows: Vec<Vec<Value>> = rows.into_iter().map(|row| row.0).collect();
        check_table_rows(table, &rows)?;
        let columns = (0..table.columns.len()).map(|index| Column { rows: &rows, index });
        let columns: Vec<_> = columns.collect();
        let mut params: Vec<&(dyn ToSql + Sync)> = Vec::with_capacity(columns.len() + 2);
        params.extend(columns.iter().map(|column| column as &(dyn ToSql + Sync)));
        params.push(&insert.note_name);
        params.push(&note);
        let inserting = async {
            self.client.execute(&insert.statement, &params).await?;
            Ok(())
        };
        self.in_time(inserting).await
    }
}

//! Values on their way to PostgreSQL and back.

use std::error::Error;

use bytes::BytesMut;
use tokio_postgres::{
    Statement,
    types::{IsNull, ToSql, Type},
};

use crate::{
    ColumnType, Insert, Row, StoreError, Value,
    tables::{Table, quoted},
};

pub(super) fn text_of(insert: &Insert) -> String {
    numbered_text_of(insert, 1)
}

/// The same, with parameters that are numbered from `first` on.
pub(super) fn numbered_text_of(insert: &Insert, first: usize) -> String {
    let names: Vec<_> = insert.columns.iter().map(|(name, _)| *name).collect();
    let arrays: Vec<_> = insert
        .columns
        .iter()
        .enumerate()
        .map(|(index, (_, kind))| format!("${}::{}[]", index + first, type_name(*kind)))
        .collect();
    let Insert {
        table, on_conflict, ..
    } = insert;
    let (names, arrays) = (names.join(", "), arrays.join(", "));
    format!("INSERT INTO {table} ({names}) SELECT * FROM UNNEST({arrays}) {on_conflict}")
}

/// The statement that adds rows to a table that only its description names.
pub(super) fn text_of_table(table: &Table) -> String {
    let arrays = table.columns.iter().enumerate();
    let arrays = arrays.map(|(index, (_, kind))| format!("${}::{}[]", index + 1, type_name(*kind)));
    let arrays: Vec<_> = arrays.collect();
    let (name, names, arrays) = (quoted(&table.name), table.names(), arrays.join(", "));
    format!("INSERT INTO {name} ({names}) SELECT * FROM UNNEST({arrays})")
}

/// The same, which also notes something in a table of names and values.
pub(super) fn noting_text_of_table(table: &Table, notes: &str) -> String {
    let (insert, count) = (text_of_table(table), table.columns.len());
    let (name, value) = (count + 1, count + 2);
    format!(
        "WITH noted AS (INSERT INTO {} (name, value) VALUES (${name}::TEXT, ${value}::TEXT) \
         ON CONFLICT (name) DO UPDATE SET value = excluded.value) {insert}",
        quoted(notes)
    )
}

fn type_name(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Int => "BIGINT",
        ColumnType::Text => "TEXT",
        ColumnType::Bytes => "BYTEA",
    }
}

pub(super) fn by_reference(params: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    params
        .iter()
        .map(|value| value as &(dyn ToSql + Sync))
        .collect()
}

pub(super) fn from_postgres(row: &tokio_postgres::Row) -> Result<Row, StoreError> {
    let values = row.columns().iter().enumerate().map(|(index, column)| {
        Ok(match *column.type_() {
            Type::INT8 => row.try_get::<_, Option<i64>>(index)?.into(),
            Type::INT4 => row.try_get::<_, Option<i32>>(index)?.map(i64::from).into(),
            Type::BOOL => row.try_get::<_, Option<bool>>(index)?.into(),
            Type::TEXT | Type::VARCHAR | Type::NAME => {
                row.try_get::<_, Option<String>>(index)?.into()
            }
            Type::BYTEA => row.try_get::<_, Option<Vec<u8>>>(index)?.into(),
            _ => {
                return Err(StoreError::Column {
                    index,
                    expected: "of a portable type",
                });
            }
        })
    });
    Ok(Row(values.collect::<Result<_, StoreError>>()?))
}

type Encoded = Result<IsNull, Box<dyn Error + Sync + Send>>;

impl ToSql for Value {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Encoded {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(value) if *kind == Type::INT4 => i32::try_from(*value)?.to_sql(kind, out),
            Self::Int(value) => value.to_sql(kind, out),
            Self::Text(value) => value.to_sql(kind, out),
            Self::Bytes(value) => value.to_sql(kind, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        // The type that the server inferred is only known per value; see `fits`.
        true
    }

    fn to_sql_checked(&self, kind: &Type, out: &mut BytesMut) -> Encoded {
        self.to_sql(kind, out)
    }
}

/// Refuses values that do not fit before anything is sent: the client library's own refusal
/// could not be told from a lost connection.
pub(super) fn check_params(statement: &Statement, params: &[Value]) -> Result<(), StoreError> {
    let kinds = statement.params();
    if kinds.len() != params.len() {
        return Err(StoreError::Refused(format!(
            "a statement takes {} parameters and was given {}",
            kinds.len(),
            params.len()
        )));
    }
    for (index, (value, kind)) in params.iter().zip(kinds).enumerate() {
        let in_range = *kind != Type::INT4
            || !matches!(value, Value::Int(value) if i32::try_from(*value).is_err());
        if !fits(value, kind) || !in_range {
            let sentence = format!("parameter {} is not of type {kind}", index + 1);
            return Err(StoreError::Refused(sentence));
        }
    }
    Ok(())
}

/// The same, for the rows of an insert.
pub(super) fn check_rows(insert: &Insert, rows: &[Vec<Value>]) -> Result<(), StoreError> {
    let kinds: Vec<ColumnType> = insert.columns.iter().map(|(_, kind)| *kind).collect();
    check_kinds(insert.table, &kinds, rows)
}

/// The same, for rows of a table that only its description names.
pub(super) fn check_table_rows(table: &Table, rows: &[Vec<Value>]) -> Result<(), StoreError> {
    let kinds: Vec<ColumnType> = table.columns.iter().map(|(_, kind)| *kind).collect();
    check_kinds(&table.name, &kinds, rows)
}

fn check_kinds(table: &str, kinds: &[ColumnType], rows: &[Vec<Value>]) -> Result<(), StoreError> {
    let row_fits = |row: &Vec<Value>| {
        row.len() == kinds.len()
            && row.iter().zip(kinds).all(|(value, kind)| {
                matches!(
                    (value, kind),
                    (Value::Null, _)
                        | (Value::Int(_), ColumnType::Int)
                        | (Value::Text(_), ColumnType::Text)
                        | (Value::Bytes(_), ColumnType::Bytes)
                )
            })
    };
    if rows.iter().all(row_fits) {
        return Ok(());
    }
    let sentence = format!("a row does not fit the columns of {table}");
    Err(StoreError::Refused(sentence))
}

fn fits(value: &Value, kind: &Type) -> bool {
    match value {
        Value::Null => true,
        Value::Int(_) => matches!(*kind, Type::INT8 | Type::INT4),
        Value::Text(_) => matches!(*kind, Type::TEXT | Type::VARCHAR | Type::NAME),
        Value::Bytes(_) => *kind == Type::BYTEA,
    }
}

/// One column of many rows, as an array.
#[derive(Debug)]
pub(super) struct Column<'a> {
    pub(super) rows: &'a [Vec<Value>],
    pub(super) index: usize,
}

impl ToSql for Column<'_> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Encoded {
        let values: Vec<&Value> = self.rows.iter().map(|row| &row[self.index]).collect();
        values.to_sql(kind, out)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn to_sql_checked(&self, kind: &Type, out: &mut BytesMut) -> Encoded {
        self.to_sql(kind, out)
    }
}

//! A database while it is filled from a copy.

use std::{fs, io, path::Path, sync::Arc};

use super::{
    DROP_MARK, LEDGER_TABLE, MAKE_MARK, MARK, MOVE_MARK, Table,
    file::{blocking, insert_of},
    quoted,
};
use crate::{
    DatabaseOptions, Location, Migration, Migrations, Row, StoreError,
    database::{MIGRATION_LOCK, check_postgres, make_sqlite_file},
    engine::{
        postgres::{self, Connector, Role, Session},
        sqlite,
    },
    migrations,
};

/// An empty database with the schema of a copy. Until it is finished it is marked, and
/// [`crate::Database::open`] refuses it: an interrupted restore is begun again.
pub struct Filling {
    engine: Engine,
}

enum Engine {
    Sqlite(Arc<sqlite::Connection>),
    Postgres(Box<Session>),
}

/// What is known of a step: whose it is and its number.
pub(super) type Applied = (String, i64);

impl Filling {
    /// Makes the schema at the steps that the copy has, in a place that holds no deployment.
    ///
    /// What an interrupted filling has left is removed first.
    pub async fn begin(options: &DatabaseOptions, applied: &[Applied]) -> Result<Self, StoreError> {
        let known = migrations::all(&options.migrations);
        let steps = steps_of(&known, applied)?;
        let engine = match &options.location {
            Location::Sqlite(path) => {
                let path = path.clone();
                let connection = blocking(move || begin_sqlite(&path, &steps)).await?;
                Engine::Sqlite(Arc::new(connection))
            }
            Location::Postgres(url) => {
                let session = Connector::new(url)?.connect(Role::Reader).await?;
                check_postgres(&session).await?;
                begin_postgres(&session, &known, &steps).await?;
                Engine::Postgres(Box::new(session))
            }
        };
        Ok(Self { engine })
    }

    /// The tables that are there, by name.
    pub async fn tables(&self) -> Result<Vec<Table>, StoreError> {
        match &self.engine {
            Engine::Sqlite(connection) => {
                let connection = Arc::clone(connection);
                let rows = blocking(move || connection.query(sqlite::COLUMNS, &[])).await?;
                Table::gather(&rows)
            }
            Engine::Postgres(session) => {
                Table::gather(&session.query(postgres::COLUMNS, &[]).await?)
            }
        }
    }

    /// Removes what the migrations have put into a table.
    pub async fn clear(&self, table: &Table) -> Result<(), StoreError> {
        let sql = format!("DELETE FROM {}", quoted(&table.name));
        match &self.engine {
            Engine::Sqlite(connection) => {
                let connection = Arc::clone(connection);
                blocking(move || connection.batch(&sql)).await
            }
            Engine::Postgres(session) => session.batch(&sql).await,
        }
    }

    /// Adds rows, whose values stand in the order of the table's columns.
    pub async fn append(&self, table: &Table, rows: Vec<Row>) -> Result<(), StoreError> {
        match &self.engine {
            Engine::Sqlite(connection) => {
                let (connection, sql) = (Arc::clone(connection), insert_of(table));
                blocking(move || connection.append(&sql, &rows)).await
            }
            Engine::Postgres(session) => session.append(table, rows).await,
        }
    }
}

/// The steps of this program that the copy has, in their order.
pub(super) fn steps_of(
    known: &[Migrations],
    applied: &[Applied],
) -> Result<Vec<(&'static str, Migration)>, StoreError> {
    migrations::refuse_newer(known, applied.iter().map(|(owner, step)| (&**owner, *step)))?;
    let has = |owner: &str, number: i64| {
        let mut applied = applied.iter();
        applied.any(|(other, step)| other == owner && *step == number)
    };
    let steps = known.iter().flat_map(|migrations| {
        let steps = migrations.steps.iter();
        steps.map(|step| (migrations.owner, *step))
    });
    Ok(steps
        .filter(|(owner, step)| has(owner, step.number))
        .collect())
}

fn begin_sqlite(
    path: &Path,
    steps: &[(&'static str, Migration)],
) -> Result<sqlite::Connection, StoreError> {
    let has = |connection: &sqlite::Connection, table: &str| {
        let found = connection.query(crate::database::SQLITE_TABLE, &[table.into()])?;
        Ok::<_, StoreError>(!found.is_empty())
    };
    make_sqlite_file(path)?;
    let mut connection = sqlite::Connection::open_writer(path)?;
    if has(&connection, MARK)? {
        drop(connection);
        remove_sqlite(path)?;
        make_sqlite_file(path)?;
        connection = sqlite::Connection::open_writer(path)?;
    } else if has(&connection, LEDGER_TABLE)? {
        return Err(is_in_use());
    }
    // Nobody reads yet; the last transaction of the restore makes all of it durable.
    connection.batch("PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 2000")?;
    connection.batch("BEGIN IMMEDIATE")?;
    connection.batch(migrations::LEDGER)?;
    for (owner, step) in steps {
        connection.batch(step.sql)?;
        connection.execute(migrations::RECORD, &migrations::record_of(owner, step))?;
    }
    connection.batch(MAKE_MARK)?;
    connection.batch("COMMIT")?;
    Ok(connection)
}

/// Removes a database that an interrupted restore has left.
fn remove_sqlite(path: &Path) -> Result<(), StoreError> {
    for suffix in ["-wal", "-shm", ""] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match fs::remove_file(&name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(StoreError::Refused(format!(
                    "cannot remove {}, which an interrupted restore has left: {error}",
                    Path::new(&name).display()
                )));
            }
            _ => {}
        }
    }
    Ok(())
}

async fn begin_postgres(
    session: &Session,
    known: &[Migrations],
    steps: &[(&'static str, Migration)],
) -> Result<(), StoreError> {
    // A failure drops the session, and with it the transaction.
    session.batch("BEGIN").await?;
    session.batch(MIGRATION_LOCK).await?;
    let there = table_names(session).await?;
    let ours = migrations::table_names(known);
    if there.iter().any(|name| name == MOVE_MARK) {
        return Err(is_in_use());
    }
    if there.iter().any(|name| name == MARK) {
        drop_tables(session, there.iter().filter(|name| ours.contains(*name))).await?;
        session.batch(DROP_MARK).await?;
    } else if there.iter().any(|name| ours.contains(name)) {
        return Err(is_in_use());
    }
    make_schema(session, steps).await?;
    session.batch(MAKE_MARK).await?;
    session.batch("COMMIT").await?;
    // The last transaction of the restore makes all of it durable.
    session.batch("SET synchronous_commit = 'off'").await
}

const POSTGRES_NAMES: &str = "SELECT CAST(table_name AS TEXT) FROM information_schema.tables \
     WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'";

/// The tables that are there, whoever made them.
pub(super) async fn table_names(session: &Session) -> Result<Vec<String>, StoreError> {
    let rows = session.query(POSTGRES_NAMES, &[]).await?;
    let names = rows.iter().map(|row| Ok(row.text(0)?.to_owned()));
    names.collect()
}

/// Removes tables, inside a transaction.
pub(super) async fn drop_tables(
    session: &Session,
    names: impl Iterator<Item = &String>,
) -> Result<(), StoreError> {
    for name in names {
        let sql = format!("DROP TABLE {}", quoted(name));
        session.batch(&sql).await?;
    }
    Ok(())
}

/// Makes the schema at these steps, inside a transaction.
pub(super) async fn make_schema(
    session: &Session,
    steps: &[(&'static str, Migration)],
) -> Result<(), StoreError> {
    session.batch(migrations::LEDGER).await?;
    for (owner, step) in steps {
        session.batch(step.sql).await?;
        let record = migrations::record_of(owner, step);
        session.execute(migrations::RECORD, &record).await?;
    }
    Ok(())
}

fn is_in_use() -> StoreError {
    StoreError::Refused(
        "this database holds a deployment already: restore into an empty one".to_owned(),
    )
}

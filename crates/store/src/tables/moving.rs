//! A PostgreSQL database while a deployment moves into it, as far as it has come.

use std::collections::{BTreeMap, HashMap};

use parking_lot::Mutex;

use super::{
    DROP_MOVE_MARK, LEDGER_TABLE, MARK, MOVE_MARK, Table,
    filling::{Applied, drop_tables, make_schema, steps_of, table_names},
    quoted,
};
use crate::{
    DatabaseOptions, Location, Migration, Migrations, Row, StoreError,
    database::{MIGRATION_LOCK, check_postgres},
    engine::postgres::{self, Connector, Inserting, Role, Session},
    migrations,
};

/// A PostgreSQL database that a deployment moves into, and nobody else meanwhile.
///
/// Rows come without keys and indexes, which are made when all are there. What is written is noted
/// in the same statement, so a move that was interrupted goes on behind the last row that stands.
/// Until it is finished, [`crate::Database::open`] refuses the database.
pub struct Moving {
    session: Session,
    notes: Mutex<BTreeMap<String, String>>,
    inserts: tokio::sync::Mutex<HashMap<String, Inserting>>,
}

/// How a move began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// In an empty database.
    Anew,
    /// Where an earlier run was interrupted.
    WhereItWas,
    /// What an earlier run had left was of something else, and was removed.
    AnewForAnother,
}

/// Two moves into one database would mix: held by the session, and gone with it.
const LOCK: &str = "SELECT pg_advisory_lock(7239180442)";

const MAKE_MOVE_MARK: &str =
    "CREATE TABLE unfinished_move (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL)";

const READ_NOTES: &str = "SELECT name, value FROM unfinished_move";

const WRITE_NOTE: &str = "INSERT INTO unfinished_move (name, value) VALUES ($1, $2) \
     ON CONFLICT (name) DO UPDATE SET value = excluded.value";

const FORGET_NOTE: &str = "DELETE FROM unfinished_move WHERE name = $1";

/// What is made at the end, and what takes it away at the beginning: keys, then indexes.
const READ_INDEXES: &str = "SELECT CAST('2.' || i.relname AS TEXT), \
     CAST(pg_get_indexdef(i.oid) AS TEXT), CAST('DROP INDEX ' || quote_ident(i.relname) AS TEXT) \
     FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid \
     JOIN pg_class t ON t.oid = x.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace \
     WHERE n.nspname = current_schema() AND t.relname <> 'unfinished_move' \
     AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = i.oid) \
     UNION ALL SELECT CAST('1.' || c.conname AS TEXT), \
     CAST('ALTER TABLE ' || quote_ident(t.relname) || ' ADD CONSTRAINT ' \
     || quote_ident(c.conname) || ' ' || pg_get_constraintdef(c.oid) AS TEXT), \
     CAST('ALTER TABLE ' || quote_ident(t.relname) || ' DROP CONSTRAINT ' \
     || quote_ident(c.conname) AS TEXT) \
     FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid \
     JOIN pg_namespace n ON n.oid = t.relnamespace \
     WHERE n.nspname = current_schema() AND c.contype IN ('p', 'u') \
     AND t.relname <> 'unfinished_move'";

/// What the notes of each kind are called, or begin with. What is kept outlives an origin.
const ORIGIN: &str = "origin";
const INDEX: &str = "index.";
const TABLE: &str = "table.";
const KEPT: &str = "kept.";

impl Moving {
    /// Makes the schema in an empty database, or finds what an earlier run has left of the same
    /// origin: a text that tells one state of the source from all others.
    ///
    /// With `again`, and of another origin, what was left is removed first.
    ///
    /// # Errors
    ///
    /// When the database holds anything else, or another move goes on.
    pub async fn begin(
        options: &DatabaseOptions,
        applied: &[Applied],
        origin: &str,
        again: bool,
    ) -> Result<(Self, Begun), StoreError> {
        let known = migrations::all(&options.migrations);
        let steps = steps_of(&known, applied)?;
        let Location::Postgres(url) = &options.location else {
            let sentence = "a deployment moves to PostgreSQL only".to_owned();
            return Err(StoreError::Refused(sentence));
        };
        let session = Connector::new(url)?.connect(Role::Mover).await?;
        check_postgres(&session).await?;
        session.batch(LOCK).await.map_err(|error| {
            if error.has_code(&[LOCK_NOT_AVAILABLE]) {
                let sentence = "another run moves a deployment into this database: wait for its \
                                end, or stop it";
                return StoreError::Refused(sentence.to_owned());
            }
            error
        })?;
        let begun = begin(&session, &known, &steps, (origin, again)).await?;
        let notes = read_notes(&session).await?;
        let moving = Self {
            session,
            notes: Mutex::new(notes),
            inserts: tokio::sync::Mutex::default(),
        };
        Ok((moving, begun))
    }

    /// The tables that are there, by name.
    pub async fn tables(&self) -> Result<Vec<Table>, StoreError> {
        let mut tables = Table::gather(&self.session.query(postgres::COLUMNS, &[]).await?)?;
        tables.retain(|table| table.name != MOVE_MARK);
        Ok(tables)
    }

    /// Up to which place the rows of a table are here.
    pub fn place_in(&self, table: &Table) -> Option<i64> {
        self.note(&format!("{TABLE}{}", table.name))?.parse().ok()
    }

    /// Adds rows, whose values stand in the order of the table's columns, and notes up to which
    /// place they go: both or nothing.
    pub async fn append(
        &self,
        table: &Table,
        rows: Vec<Row>,
        place: i64,
    ) -> Result<(), StoreError> {
        let mut inserts = self.inserts.lock().await;
        if !inserts.contains_key(&table.name) {
            let name = format!("{TABLE}{}", table.name);
            let prepared = self.session.prepare_noting(table, MOVE_MARK, &name);
            inserts.insert(table.name.clone(), prepared.await?);
        }
        let insert = &inserts[&table.name];
        let note = place.to_string();
        self.session.insert_noting(insert, table, rows, &note).await
    }

    /// How many keys and indexes are still to be made.
    pub fn indexes_left(&self) -> usize {
        let notes = self.notes.lock();
        notes.keys().filter(|name| name.starts_with(INDEX)).count()
    }

    /// Makes the next key or index; `false` when there are no more.
    pub async fn make_index(&self) -> Result<bool, StoreError> {
        let next = {
            let notes = self.notes.lock();
            let mut left = notes.iter().filter(|(name, _)| name.starts_with(INDEX));
            left.next().map(|(name, sql)| (name.clone(), sql.clone()))
        };
        let Some((name, sql)) = next else {
            return Ok(false);
        };
        // A failure drops the session, and with it the transaction.
        self.session.batch("BEGIN").await?;
        self.session.batch(&sql).await?;
        let params = [name.as_str().into()];
        self.session.execute(FORGET_NOTE, &params).await?;
        self.session.batch("COMMIT").await?;
        self.notes.lock().remove(&name);
        Ok(true)
    }

    /// Lets PostgreSQL count what it has, so that its plans fit from the first request on.
    pub async fn analyse(&self, tables: &[Table]) -> Result<(), StoreError> {
        for table in tables {
            let sql = format!("ANALYZE {}", quoted(&table.name));
            self.session.batch(&sql).await?;
        }
        Ok(())
    }

    /// What a caller has noted under a name.
    pub fn note(&self, name: &str) -> Option<String> {
        self.notes.lock().get(name).cloned()
    }

    /// Notes something for a run that goes on from here.
    pub async fn set_note(&self, name: &str, value: &str) -> Result<(), StoreError> {
        let params = [name.into(), value.into()];
        self.session.execute(WRITE_NOTE, &params).await?;
        self.notes.lock().insert(name.to_owned(), value.to_owned());
        Ok(())
    }
}

/// What PostgreSQL answers when a lock was not to be had in time.
const LOCK_NOT_AVAILABLE: &str = "55P03";

async fn begin(
    session: &Session,
    known: &[Migrations],
    steps: &[(&'static str, Migration)],
    (origin, again): (&str, bool),
) -> Result<Begun, StoreError> {
    // A failure drops the session, and with it the transaction.
    session.batch("BEGIN").await?;
    session.batch(MIGRATION_LOCK).await?;
    let there = table_names(session).await?;
    let ours = migrations::table_names(known);
    let (mut begun, mut kept) = (Begun::Anew, BTreeMap::new());
    if there.iter().any(|name| name == MOVE_MARK) {
        let notes = read_notes(session).await?;
        let is_same = notes.get(ORIGIN).is_some_and(|noted| noted == origin);
        kept = notes;
        kept.retain(|name, _| name.starts_with(KEPT));
        if is_same && !again {
            session.batch("COMMIT").await?;
            session.batch(UNSYNCED).await?;
            return Ok(Begun::WhereItWas);
        }
        drop_tables(session, there.iter().filter(|name| ours.contains(*name))).await?;
        session.batch(DROP_MOVE_MARK).await?;
        if !is_same {
            begun = Begun::AnewForAnother;
        }
    } else if let Some(name) = there.first() {
        return Err(is_not_empty(&there, name));
    }
    make_schema(session, steps).await?;
    session.batch(MAKE_MOVE_MARK).await?;
    kept.insert(ORIGIN.to_owned(), origin.to_owned());
    for (name, value) in kept {
        let note = [name.into(), value.into()];
        session.execute(WRITE_NOTE, &note).await?;
    }
    empty_and_bare(session, &ours).await?;
    session.batch("COMMIT").await?;
    session.batch(UNSYNCED).await?;
    Ok(begun)
}

async fn read_notes(session: &Session) -> Result<BTreeMap<String, String>, StoreError> {
    let rows = session.query(READ_NOTES, &[]).await?;
    let notes = rows
        .iter()
        .map(|row| Ok((row.text(0)?.to_owned(), row.text(1)?.to_owned())));
    notes.collect()
}

/// The last transaction of the move makes all of it durable.
const UNSYNCED: &str = "SET synchronous_commit = 'off'";

/// Removes what the steps of the schema have put into tables, and keys and indexes until later.
async fn empty_and_bare(
    session: &Session,
    ours: &std::collections::BTreeSet<String>,
) -> Result<(), StoreError> {
    let there = table_names(session).await?;
    for name in there.iter().filter(|name| ours.contains(*name)) {
        let sql = format!("DELETE FROM {}", quoted(name));
        session.batch(&sql).await?;
    }
    for row in session.query(READ_INDEXES, &[]).await? {
        let (name, make, drop) = (row.text(0)?, row.text(1)?, row.text(2)?);
        let note = [format!("{INDEX}{name}").into(), make.into()];
        session.execute(WRITE_NOTE, &note).await?;
        session.batch(drop).await?;
    }
    Ok(())
}

fn is_not_empty(there: &[String], name: &str) -> StoreError {
    let has = |name: &str| there.iter().any(|there| there == name);
    StoreError::Refused(if has(MARK) {
        "a restore into this database was not finished: move into an empty one".to_owned()
    } else if has(LEDGER_TABLE) {
        "this database holds a deployment already: move into an empty one".to_owned()
    } else {
        format!(
            "this database is not empty, it has the table {name}: move into one that was made for \
             it alone"
        )
    })
}

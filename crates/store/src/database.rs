//! Opening the database: engine, schema, the facts of the deployment, read snapshots.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;

use crate::{
    History, LocalWrite, Migrations, Names, Pos, Row, StoreError, Table, Value,
    engine::{
        Reader, ReaderKind,
        postgres::{self, Connector, Role},
        sqlite,
    },
    history::NEWEST,
    migrations,
    tables::{MARK, MOVE_MARK},
};

/// Where the database is.
#[derive(Clone, PartialEq, Eq)]
pub enum Location {
    /// A SQLite file; made when it is missing.
    Sqlite(PathBuf),
    /// A PostgreSQL URL, which may carry a password.
    Postgres(String),
}

impl std::fmt::Debug for Location {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(path) => write!(formatter, "sqlite://{}", path.display()),
            Self::Postgres(_) => formatter.write_str("postgres://…"),
        }
    }
}

impl Location {
    /// Finds out, without asking the database, whether it could be spoken to: what its URL says, and
    /// the files of certificates that it names.
    pub fn check(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(url) => Connector::new(url).map(drop),
        }
    }
}

/// What opening needs to know.
#[derive(Debug)]
pub struct DatabaseOptions {
    /// Where the database is.
    pub location: Location,
    /// The name that every id of this deployment carries; it can never change.
    pub server_name: String,
    /// The schemas of all owners.
    pub migrations: Vec<Migrations>,
    /// How many snapshots may be open at once.
    pub readers: usize,
}

/// An open database. Cheap to clone.
#[derive(Clone)]
pub struct Database {
    pub(crate) engine: Arc<Engine>,
    names: Names,
    /// The tables that the migrations make; others in the same schema are not ours.
    tables: Arc<BTreeSet<String>>,
}

/// What opening does to the schema.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Schema {
    /// Brings it up to date.
    Migrate,
    /// Brings it up to date, also of a database whose restore or move is about to be finished.
    MigrateUnfinished,
    /// Leaves it as it is.
    Leave,
}

#[expect(clippy::large_enum_variant, reason = "there is one for each database")]
pub(crate) enum Engine {
    Sqlite {
        path: PathBuf,
        readers: Arc<sqlite::Readers>,
        /// Taken by the log when it starts: there is one writer.
        writer: Mutex<Option<sqlite::Connection>>,
    },
    Postgres {
        connector: Connector,
        pool: Arc<postgres::Pool>,
    },
}

const READ_FACT: &str = "SELECT value FROM facts WHERE name = $1";
const WRITE_FACT: &str =
    "INSERT INTO facts (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";

pub(crate) const SQLITE_TABLE: &str =
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name = $1";
pub(crate) const POSTGRES_TABLE: &str = "SELECT CAST(table_name AS TEXT) FROM information_schema.tables \
     WHERE table_schema = current_schema() AND CAST(table_name AS TEXT) = $1";

/// Two starting nodes migrate one after the other.
pub(crate) const MIGRATION_LOCK: &str = "SELECT pg_advisory_xact_lock(7239180441)";

impl Database {
    /// Opens the database, brings its schema up to date and checks that it is this deployment's.
    ///
    /// Refuses a schema newer than the program, another server name, and a PostgreSQL that
    /// does not flush commits to disk.
    pub async fn open(options: DatabaseOptions) -> Result<Self, StoreError> {
        Self::connect(options, Schema::Migrate).await
    }

    /// Opens a database that was filled from a copy, or that a deployment was moved into, to finish
    /// the restore or the move.
    pub async fn open_unfinished(options: DatabaseOptions) -> Result<Self, StoreError> {
        Self::connect(options, Schema::MigrateUnfinished).await
    }

    /// Opens a database whose schema is left as it is, to look at what was filled in.
    pub async fn open_as_it_is(options: DatabaseOptions) -> Result<Self, StoreError> {
        Self::connect(options, Schema::Leave).await
    }

    async fn connect(options: DatabaseOptions, schema: Schema) -> Result<Self, StoreError> {
        let known = migrations::all(&options.migrations);
        let migrates = schema != Schema::Leave;
        let finishes = schema == Schema::MigrateUnfinished;
        let engine = match &options.location {
            Location::Sqlite(path) => {
                let writer = open_sqlite(path)?;
                if migrates {
                    migrate_sqlite(&writer, &known, &options.server_name, finishes)?;
                }
                let readers = sqlite::Readers::new(path, options.readers);
                let writer = Mutex::new(Some(writer));
                Engine::Sqlite {
                    path: path.clone(),
                    readers,
                    writer,
                }
            }
            Location::Postgres(url) => {
                let connector = Connector::new(url)?;
                let session = connector.connect(Role::Reader).await?;
                check_postgres(&session).await?;
                if migrates {
                    migrate_postgres(&session, &known, &options.server_name, finishes).await?;
                }
                let pool = postgres::Pool::new(connector.clone(), options.readers);
                Engine::Postgres { connector, pool }
            }
        };
        Ok(Self {
            engine: Arc::new(engine),
            names: Names::new(),
            tables: Arc::new(migrations::table_names(&known)),
        })
    }

    /// Looks into a database without changing it, before it is opened.
    ///
    /// `None` when there is no database yet, or it has no such table.
    pub async fn peek(
        location: &Location,
        table: &'static str,
        sql: &'static str,
    ) -> Result<Option<Vec<Row>>, StoreError> {
        match location {
            Location::Sqlite(path) => {
                if !path.exists() {
                    return Ok(None);
                }
                let reader = sqlite::Connection::open_reader(path)?;
                if reader.query(SQLITE_TABLE, &[table.into()])?.is_empty() {
                    return Ok(None);
                }
                reader.query(sql, &[]).map(Some)
            }
            Location::Postgres(url) => {
                let session = Connector::new(url)?.connect(Role::Reader).await?;
                if session
                    .query(POSTGRES_TABLE, &[table.into()])
                    .await?
                    .is_empty()
                {
                    return Ok(None);
                }
                session.query(sql, &[]).await.map(Some)
            }
        }
    }

    /// Writes what must exist before the log starts. Two nodes may do so at once: use
    /// `ON CONFLICT DO NOTHING`, and read afterwards what stands.
    pub async fn initialise(&self, write: &LocalWrite) -> Result<(), StoreError> {
        match &*self.engine {
            Engine::Postgres { pool, .. } => pool.local_write(write).await.map(drop),
            Engine::Sqlite { writer, .. } => {
                let writer = writer.lock();
                let writer = writer.as_ref().ok_or_else(|| {
                    StoreError::Refused("the log of this database is already running".to_owned())
                })?;
                let written = writer.local_writes(std::slice::from_ref(write))?;
                written
                    .into_iter()
                    .try_for_each(|written| written.map(drop))
            }
        }
    }

    /// Opens a view of one moment, for any number of queries.
    pub async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let reader = match &*self.engine {
            Engine::Sqlite { readers, .. } => {
                let lease = readers.lease().await?;
                lease.begin().await?;
                Reader::new(ReaderKind::SqliteThere(lease))
            }
            Engine::Postgres { pool, .. } => {
                let mut lease = pool.lease().await?;
                lease
                    .begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                    .await?;
                Reader::new(ReaderKind::PostgresPooled(Box::new(lease)))
            }
        };
        // The first query fixes the moment.
        let (head, epoch) = self.moment_of(&reader).await?;
        Ok(Snapshot {
            reader,
            head,
            epoch,
        })
    }

    async fn moment_of(&self, reader: &Reader) -> Result<(Pos, i64), StoreError> {
        let row = reader.query_opt(READ_MOMENT, &[]).await?;
        let row = row.ok_or_else(|| StoreError::Damaged("the log has no head".to_owned()))?;
        if let Some(history) = self.history() {
            history.note_row(&row, 0, 2)?;
        }
        Ok((Pos::new(row.int(0)?), number_in(&row, 1)?))
    }

    /// What this node has seen of the log, where it could be lost: only another server that takes
    /// over can have less.
    pub fn history(&self) -> Option<&History> {
        match &*self.engine {
            Engine::Sqlite { .. } => None,
            Engine::Postgres { connector, .. } => Some(connector.history()),
        }
    }

    /// Runs one query on its own.
    pub async fn query(&self, sql: &'static str, params: &[Value]) -> Result<Vec<Row>, StoreError> {
        match &*self.engine {
            Engine::Sqlite { readers, .. } => readers.lease().await?.query(sql, params).await,
            // Boxed, since it is part of everything that asks the database.
            Engine::Postgres { connector, pool } => {
                Box::pin(async move {
                    let lease = pool.lease().await?;
                    // Sent together, and run in this order: what is read is no newer than this end.
                    let (rows, newest) = futures_util::join!(
                        lease.session().query(sql, params),
                        lease.session().query(NEWEST, &[])
                    );
                    let rows = rows?;
                    for row in newest? {
                        connector.history().note_row(&row, 0, 1)?;
                    }
                    Ok(rows)
                })
                .await
            }
        }
    }

    /// Runs one query that gives one row or none.
    pub async fn query_opt(
        &self,
        sql: &'static str,
        params: &[Value],
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.query(sql, params).await?.into_iter().next())
    }

    /// What is true of the whole deployment, such as `server_name` or `epoch`.
    pub async fn fact(&self, name: &str) -> Result<Option<String>, StoreError> {
        let row = self.query_opt(READ_FACT, &[name.into()]).await?;
        row.map(|row| Ok(row.text(0)?.to_owned())).transpose()
    }

    /// The integers that stand for users and rooms.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// Which engine this is, for logs and metrics.
    pub fn engine_name(&self) -> &'static str {
        match &*self.engine {
            Engine::Sqlite { .. } => "sqlite",
            Engine::Postgres { .. } => "postgres",
        }
    }
}

/// A view of one moment.
pub struct Snapshot {
    reader: Reader,
    head: Pos,
    epoch: i64,
}

impl Snapshot {
    /// The last position that this view includes.
    pub fn head(&self) -> Pos {
        self.head
    }

    /// Which history this is: it rises when a restore or a failover has lost something, and then
    /// a position may stand for another change than before.
    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    /// Up to where the history of an epoch is this one, too. Of an epoch that this history never
    /// had (its copy was restored elsewhere, or earlier) it is what is common to all.
    pub async fn common_history(&self, epoch: i64) -> Result<Pos, StoreError> {
        const READ: &str = "SELECT name, value FROM facts WHERE name LIKE 'epoch.%.after'";
        if epoch == self.epoch {
            return Ok(Pos::new(i64::MAX));
        }
        let mut beginnings = BTreeMap::new();
        for row in self.query(READ, &[]).await? {
            let number = row.text(0)?.split('.').nth(1).map(str::parse::<i64>);
            if let Some(Ok(number)) = number {
                beginnings.insert(number, number_in(&row, 1)?);
            }
        }
        let is_ours = epoch == FIRST_EPOCH || beginnings.contains_key(&epoch);
        let later = beginnings
            .into_iter()
            .filter(|(began, _)| !is_ours || *began > epoch);
        let common = later.map(|(_, after)| after).min();
        Ok(Pos::new(common.unwrap_or(0)))
    }

    /// Those tables of the deployment that are there, by name.
    pub async fn tables(&self, database: &Database) -> Result<Vec<Table>, StoreError> {
        let mut tables = self.reader.all_tables().await?;
        tables.retain(|table| database.tables.contains(&table.name));
        Ok(tables)
    }
}

impl std::ops::Deref for Snapshot {
    type Target = Reader;

    fn deref(&self) -> &Reader {
        &self.reader
    }
}

/// The epoch of a new deployment.
const FIRST_EPOCH: i64 = 1;

/// Head and epoch, which make a moment, and the batch at the head.
const READ_MOMENT: &str = "SELECT \
     (SELECT COALESCE(MAX(last_pos), 0) FROM log WHERE log_id = 1), \
     (SELECT value FROM facts WHERE name = 'epoch'), \
     (SELECT batch_id FROM log WHERE log_id = 1 ORDER BY last_pos DESC LIMIT 1)";

/// A fact that is a number.
fn number_in(row: &Row, index: usize) -> Result<i64, StoreError> {
    let number = row.text(index)?.parse();
    number.map_err(|_| StoreError::Damaged("a fact is no number".to_owned()))
}

/// Why a database is refused into which a deployment has not wholly moved yet.
pub const UNFINISHED_MOVE: &str = "moving a deployment into this database was not finished, and it \
     may hold only a part of it: run `conclave migrate` where the deployment is again, which goes \
     on from there";

/// Asked inside the migration's transaction: a restore or a move may begin beside a starting node.
pub(crate) fn refuse_marked(mark: &str) -> StoreError {
    let sentence = match mark {
        MARK => {
            "a restore into this database was not finished, and it may hold only a part of the \
             copy: run `conclave restore` with the copy again"
        }
        _ => UNFINISHED_MOVE,
    };
    StoreError::Refused(sentence.to_owned())
}

fn open_sqlite(path: &Path) -> Result<sqlite::Connection, StoreError> {
    make_sqlite_file(path)?;
    sqlite::Connection::open_writer(path)
}

/// Made before SQLite opens it, so that it and its companions are the owner's alone.
pub(crate) fn make_sqlite_file(path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::OpenOptionsExt;

    let made = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path);
    made.map(drop).map_err(|error| {
        let path = path.display();
        StoreError::Refused(format!("cannot open the database {path}: {error}"))
    })
}

fn migrate_sqlite(
    writer: &sqlite::Connection,
    known: &[Migrations],
    server_name: &str,
    finishes: bool,
) -> Result<(), StoreError> {
    writer.batch("BEGIN IMMEDIATE")?;
    let migrated = (|| {
        for mark in [MARK, MOVE_MARK] {
            if !finishes && !writer.query(SQLITE_TABLE, &[mark.into()])?.is_empty() {
                return Err(refuse_marked(mark));
            }
        }
        writer.batch(migrations::LEDGER)?;
        let applied = writer.query(migrations::APPLIED, &[])?;
        for (owner, step) in migrations::missing(known, &applied)? {
            writer.batch(&sqlite::schema_text(step.sql))?;
            writer.execute(migrations::RECORD, &migrations::record_of(owner, step))?;
        }
        writer.execute(WRITE_FACT, &["server_name".into(), server_name.into()])?;
        check_server_name(
            &writer.query(READ_FACT, &["server_name".into()])?,
            server_name,
        )
    })();
    writer.batch(if migrated.is_ok() {
        "COMMIT"
    } else {
        "ROLLBACK"
    })?;
    migrated
}

async fn migrate_postgres(
    session: &postgres::Session,
    known: &[Migrations],
    server_name: &str,
    finishes: bool,
) -> Result<(), StoreError> {
    // A failure drops the session, and with it the transaction.
    session.batch("BEGIN").await?;
    session.batch(MIGRATION_LOCK).await?;
    for mark in [MARK, MOVE_MARK] {
        let marked = session.query(POSTGRES_TABLE, &[mark.into()]).await?;
        if !finishes && !marked.is_empty() {
            return Err(refuse_marked(mark));
        }
    }
    session.batch(migrations::LEDGER).await?;
    let applied = session.query(migrations::APPLIED, &[]).await?;
    for (owner, step) in migrations::missing(known, &applied)? {
        session.batch(step.sql).await?;
        session
            .execute(migrations::RECORD, &migrations::record_of(owner, step))
            .await?;
    }
    session
        .execute(WRITE_FACT, &["server_name".into(), server_name.into()])
        .await?;
    let stored = session.query(READ_FACT, &["server_name".into()]).await?;
    check_server_name(&stored, server_name)?;
    session.batch("COMMIT").await
}

/// Asked inside the migration's transaction, so that another deployment's database is left as
/// it was.
pub(crate) fn check_server_name(stored: &[Row], expected: &str) -> Result<(), StoreError> {
    let stored = stored.first().map_or(Ok(""), |row| row.text(0))?;
    if stored == expected {
        return Ok(());
    }
    Err(StoreError::Refused(format!(
        "this database belongs to the server \u{201c}{stored}\u{201d}, not \u{201c}{expected}\u{201d}: a \
         server's name is part of every id and can never change"
    )))
}

pub(crate) async fn check_postgres(session: &postgres::Session) -> Result<(), StoreError> {
    let rows = session
        .query(
            "SELECT current_setting('server_version_num')::BIGINT, current_setting('fsync'), \
             current_setting('server_encoding')",
            &[],
        )
        .await?;
    let Some(row) = rows.first() else {
        return Err(StoreError::Unavailable(
            "PostgreSQL tells nothing of itself".to_owned(),
        ));
    };
    let refuse = |sentence: String| Err(StoreError::Refused(sentence));
    if row.int(0)? < 150_000 {
        return refuse(format!(
            "PostgreSQL {} is too old: version 15 or newer is needed",
            row.int(0)? / 10_000
        ));
    }
    if row.text(1)? != "on" {
        return refuse(
            "PostgreSQL runs with fsync = off, so a crash would lose acknowledged messages: \
             set fsync = on in postgresql.conf"
                .to_owned(),
        );
    }
    if row.text(2)? != "UTF8" {
        return refuse(format!(
            "the database's encoding is {}: create it with ENCODING 'UTF8'",
            row.text(2)?
        ));
    }
    Ok(())
}

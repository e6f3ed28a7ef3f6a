//! Looking at a database and changing nothing: not a table, not a file beside it.

mod hosts;
mod postgres_facts;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use model::time::{Clock, Timestamp};

pub use self::{
    hosts::{HostFound, HostState},
    postgres_facts::{PostgresFacts, Standby},
};
use crate::{
    DatabaseOptions, Location, Row, StoreError, Value,
    database::{POSTGRES_TABLE, SQLITE_TABLE, check_server_name, refuse_marked},
    engine::{
        postgres::{Connector, Role, Session},
        sqlite,
    },
    migrations,
    tables::{LEDGER_TABLE, MARK, MOVE_MARK},
};

/// How often the way to the database is measured.
const MEASURED: usize = 7;

/// The first bytes of a file of SQLite.
const SQLITE_MAGIC: &[u8] = b"SQLite format 3\0";

/// Where its header says how it is written, and what that is with a write-ahead log.
const SQLITE_FORMAT: usize = 18;
const WITH_LOG: u8 = 2;

/// A database that is looked at.
pub struct Examination(Looking);

enum Looking {
    Sqlite(sqlite::Connection),
    Postgres(Session),
}

/// What of a deployment is in a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deployment {
    /// Nothing: the first start makes it.
    Absent,
    /// One that this program takes as it is.
    Current,
    /// One that the next start of this program brings up to date.
    Older {
        /// How many steps its schema lacks.
        missing: usize,
    },
}

/// How far another clock is from this machine's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockDifference {
    /// By how many milliseconds the other one is ahead; less than nothing when it is behind.
    pub ahead_ms: i64,
    /// How exact that is: half of the time that asking took.
    pub exact_to_ms: i64,
}

impl Examination {
    /// Connects to the database, or opens its file.
    ///
    /// `None` when there is no file yet.
    pub async fn open(options: &DatabaseOptions) -> Result<Option<Self>, StoreError> {
        match &options.location {
            Location::Sqlite(path) if !path.exists() => Ok(None),
            Location::Sqlite(path) => {
                let connection = open_file(path)?;
                Ok(Some(Self(Looking::Sqlite(connection))))
            }
            Location::Postgres(url) => {
                let session = Connector::new(url)?.connect(Role::Reader).await?;
                Ok(Some(Self(Looking::Postgres(session))))
            }
        }
    }

    /// What a query gives; `None` when there is no such table.
    pub async fn peek(
        &self,
        table: &'static str,
        sql: &'static str,
    ) -> Result<Option<Vec<Row>>, StoreError> {
        let find = match &self.0 {
            Looking::Sqlite(_) => SQLITE_TABLE,
            Looking::Postgres(_) => POSTGRES_TABLE,
        };
        if self.query(find, &[table.into()]).await?.is_empty() {
            return Ok(None);
        }
        self.query(sql, &[]).await.map(Some)
    }

    async fn query(&self, sql: &'static str, params: &[Value]) -> Result<Vec<Row>, StoreError> {
        match &self.0 {
            Looking::Sqlite(connection) => connection.query(sql, params),
            Looking::Postgres(session) => session.query(sql, params).await,
        }
    }

    /// Whether a start of this program would take what is here.
    ///
    /// # Errors
    ///
    /// What a start would say when it would not: another deployment's, one that is newer than the
    /// program, a restore or a move that was not finished.
    pub async fn deployment(&self, options: &DatabaseOptions) -> Result<Deployment, StoreError> {
        const READ_NAME: &str = "SELECT value FROM facts WHERE name = 'server_name'";
        for (mark, read) in [
            (MARK, "SELECT 1 FROM unfinished_restore"),
            (MOVE_MARK, "SELECT 1 FROM unfinished_move"),
        ] {
            if self.peek(mark, read).await?.is_some() {
                return Err(refuse_marked(mark));
            }
        }
        let Some(applied) = self.peek(LEDGER_TABLE, migrations::APPLIED).await? else {
            return Ok(Deployment::Absent);
        };
        if let Some(name) = self.peek("facts", READ_NAME).await?
            && !name.is_empty()
        {
            check_server_name(&name, &options.server_name)?;
        }
        let known = migrations::all(&options.migrations);
        Ok(match migrations::missing(&known, &applied)?.len() {
            0 => Deployment::Current,
            missing => Deployment::Older { missing },
        })
    }

    /// When the newest batch of the log was committed, by the clock of the node that did.
    pub async fn newest_batch(&self) -> Result<Option<Timestamp>, StoreError> {
        const READ: &str = "SELECT at FROM log WHERE log_id = 1 ORDER BY last_pos DESC LIMIT 1";
        let rows = self.peek("log", READ).await?.unwrap_or_default();
        let newest = rows.first().map(|row| row.int(0)).transpose()?;
        Ok(newest.map(Timestamp::from_millis))
    }

    /// How long an answer takes: the middle one of several.
    pub async fn round_trip(&self, clock: &dyn Clock) -> Result<Duration, StoreError> {
        const ASK: &str = "SELECT 1";
        // The first one is prepared.
        self.query(ASK, &[]).await?;
        let mut took = Vec::with_capacity(MEASURED);
        for _ in 0..MEASURED {
            let began = clock.uptime();
            self.query(ASK, &[]).await?;
            took.push(clock.uptime().saturating_sub(began));
        }
        took.sort_unstable();
        Ok(took[MEASURED / 2])
    }

    /// How far PostgreSQL's clock is from this machine's; `None` for a file, which has none.
    pub async fn clock(&self, clock: &dyn Clock) -> Result<Option<ClockDifference>, StoreError> {
        const ASK: &str =
            "SELECT CAST(FLOOR(EXTRACT(EPOCH FROM clock_timestamp()) * 1000) AS BIGINT)";
        if let Looking::Sqlite(_) = &self.0 {
            return Ok(None);
        }
        let mut best: Option<ClockDifference> = None;
        for _ in 0..MEASURED {
            let (now, began) = (clock.now(), clock.uptime());
            let rows = self.query(ASK, &[]).await?;
            let half = clock.uptime().saturating_sub(began) / 2;
            let Some(row) = rows.first() else { continue };
            let difference = ClockDifference {
                ahead_ms: row.int(0)?.saturating_sub(now.plus(half).as_millis()),
                exact_to_ms: i64::try_from(half.as_millis()).unwrap_or(i64::MAX),
            };
            // The quickest answer says most. The first one is slow: it is prepared.
            if best.is_none_or(|best| difference.exact_to_ms < best.exact_to_ms) {
                best = Some(difference);
            }
        }
        Ok(best)
    }
}

/// What stands in the file of an embedded database, without opening it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileForm {
    /// A database with a write-ahead log, as the server has it.
    WithLog,
    /// A database without one: the next start gives it one.
    WithoutLog,
    /// Nothing.
    Empty,
    /// Something else.
    Foreign,
}

impl FileForm {
    /// Reads the header of a file.
    pub fn of(path: &Path) -> std::io::Result<Self> {
        use std::io::Read;

        let mut header = Vec::new();
        std::fs::File::open(path)?
            .take(100)
            .read_to_end(&mut header)?;
        Ok(match header.get(SQLITE_FORMAT) {
            _ if header.is_empty() => Self::Empty,
            Some(format) if header.starts_with(SQLITE_MAGIC) => match *format {
                WITH_LOG => Self::WithLog,
                _ => Self::WithoutLog,
            },
            _ => Self::Foreign,
        })
    }
}

/// Looks through every page of an embedded database: what is wrong with them, and nothing when all
/// is well. It blocks for as long as it takes to read the whole file.
pub fn quick_check(path: &Path) -> Result<Vec<String>, StoreError> {
    let rows = open_file(path)?.query("PRAGMA quick_check", &[])?;
    let said = rows.iter().map(|row| Ok(row.text(0)?.to_owned()));
    let said: Result<Vec<String>, StoreError> = said.collect();
    Ok(said?.into_iter().filter(|said| said != "ok").collect())
}

/// A reader makes the two files beside a database when they are missing. While they are, nobody
/// writes, and it can be read as if it was on a medium that nobody can write to.
fn open_file(path: &Path) -> Result<sqlite::Connection, StoreError> {
    let log = beside(path, "-wal");
    if log.exists() {
        return sqlite::Connection::open_reader(path);
    }
    let opened = sqlite::Connection::open_unchanging(path);
    match opened {
        // A server has started meanwhile.
        _ if log.exists() => sqlite::Connection::open_reader(path),
        opened => opened,
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

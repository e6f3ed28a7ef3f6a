//! Where a deployment moves from: a SQLite database that nobody writes meanwhile.

use std::path::Path;

use store::{Database, Location, Row, StoreError, Table, TableFile};

use super::DECISIONS;
use crate::{CopyError, digest::of_bytes};

/// A SQLite database as it stands. Whoever opens it keeps everybody else from writing to it.
pub struct Origin {
    pub(super) file: TableFile,
    pub(super) tables: Vec<Table>,
    /// The steps of its schema, by owner.
    pub(super) schema: Vec<(String, i64)>,
    /// Tells this state from all others. Whoever serves the database changes it: work in the
    /// background changes hands at each start.
    pub(super) state: String,
    head: i64,
    last_batch: String,
    server_name: String,
}

const READ_HEAD: &str =
    "SELECT last_pos, batch_id FROM log WHERE log_id = 1 ORDER BY last_pos DESC LIMIT 1";
const READ_FACTS: &str = "SELECT name, value FROM facts ORDER BY name";
const READ_SCHEMA: &str = "SELECT owner, number FROM schema_migrations ORDER BY owner, number";
const READ_LEASES: &str = "SELECT name, fence, beats, pos FROM leases ORDER BY name";

impl Origin {
    /// Opens the database for reading.
    ///
    /// # Errors
    ///
    /// When it has a table of which nobody has said whether it goes over.
    pub async fn open(path: &Path) -> Result<Self, CopyError> {
        let file = TableFile::open(path.to_owned()).await?;
        let tables = file.tables().await?;
        for table in &tables {
            if !DECISIONS.iter().any(|(name, _)| *name == table.name) {
                return Err(CopyError::Refused(format!(
                    "the database has the table {}, which this program does not know: start the \
                     version that wrote it, or a newer one",
                    table.name
                )));
            }
        }
        let location = Location::Sqlite(path.to_owned());
        let read = async |table, sql| {
            let rows = Database::peek(&location, table, sql).await?;
            Ok::<_, StoreError>(rows.unwrap_or_default())
        };
        let head = read("log", READ_HEAD).await?;
        let facts = read("facts", READ_FACTS).await?;
        let steps = read("schema_migrations", READ_SCHEMA).await?;
        let leases = read("leases", READ_LEASES).await?;
        let state = format!("{head:?} {facts:?} {steps:?} {leases:?}");
        let head = head.first().ok_or_else(|| {
            CopyError::Refused("nothing was ever written to this database".to_owned())
        })?;
        let schema = steps
            .iter()
            .map(|row| Ok((row.text(0)?.to_owned(), row.int(1)?)));
        Ok(Self {
            schema: schema.collect::<Result<_, StoreError>>()?,
            state: of_bytes(state.as_bytes()),
            head: head.int(0)?,
            last_batch: head.text(1)?.to_owned(),
            server_name: fact(&facts, "server_name")?,
            file,
            tables,
        })
    }

    /// The last position of its log.
    pub fn head(&self) -> i64 {
        self.head
    }

    /// Whose data it is.
    pub fn server_name(&self) -> &str {
        &self.server_name
    }

    /// Whether a database has this one's whole history: it has arrived there.
    pub async fn has_arrived(&self, there: &Database) -> Result<bool, StoreError> {
        const READ: &str = "SELECT batch_id FROM log WHERE log_id = 1 AND last_pos = $1";
        let row = there.query_opt(READ, &[self.head.into()]).await?;
        row.map_or(Ok(false), |row| Ok(row.text(0)? == self.last_batch))
    }
}

fn fact(facts: &[Row], name: &str) -> Result<String, StoreError> {
    let mut facts = facts.iter();
    let row = facts.find(|row| row.text(0).is_ok_and(|it| it == name));
    let row = row.ok_or_else(|| StoreError::Damaged(format!("the fact {name} is missing")))?;
    Ok(row.text(1)?.to_owned())
}

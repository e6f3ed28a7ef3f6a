//! The ground under the owners: data directory, master key, database, keyring, in this order.

use std::error::Error;

use anyhow::anyhow;
use config::{Config, DatabaseUrl, Loaded, Origin};
use seal::{KeySource, Keyring, MasterKey, SealError};
use store::{Database, DatabaseOptions, Location, Migrations, Row, StoreError, UNFINISHED_MOVE};
use zeroize::Zeroizing;

use crate::{Surroundings, data_dir::DataDir, moved_note::MovedNote};

/// How many reads may go on at once.
const READERS: usize = 16;

/// How many sessions of PostgreSQL a node holds at most: those, and two for the log.
pub(crate) const SESSIONS: usize = READERS + 2;

const READ_NAME: &str = "SELECT value FROM facts WHERE name = 'server_name'";

/// An open database and its keys, in a data directory that is this process's alone.
pub(crate) struct Storage {
    pub(crate) data_dir: DataDir,
    pub(crate) database: Database,
    pub(crate) keyring: Keyring,
    /// Whether there was no database before.
    pub(crate) is_new: bool,
}

/// The schemas of all owners.
pub(crate) fn migrations() -> Vec<Migrations> {
    vec![
        seal::MIGRATIONS,
        audit::MIGRATIONS,
        accounts::MIGRATIONS,
        rooms::MIGRATIONS,
        keys::MIGRATIONS,
        media::MIGRATIONS,
        reports::MIGRATIONS,
        pushers::MIGRATIONS,
        push::MIGRATIONS,
        outbox::MIGRATIONS,
        bridging::MIGRATIONS,
        sync::MIGRATIONS,
        search::MIGRATIONS,
    ]
}

impl Storage {
    /// Opens what is there, or makes it. The key is checked before the database is touched.
    pub(crate) async fn open(
        data_dir: DataDir,
        loaded: &Loaded,
        surroundings: &Surroundings,
    ) -> anyhow::Result<Self> {
        let config = &loaded.config;
        let location = location(config);
        MovedNote::refuse(&location)?;
        // Before the key: a database that has none yet would be given one.
        refuse_unfinished_move(loaded).await?;
        let explain = |error: SealError| explain_seal(error, loaded);
        let name = Database::peek(&location, "facts", READ_NAME).await;
        let name = name.map_err(|error| explain_store(&error, loaded))?;
        let is_new = name.is_none_or(|rows| rows.is_empty());
        let source = key_source(config);
        let master = MasterKey::unlock(&source, &location, &*surroundings.entropy).await;
        let master = master.map_err(explain)?;
        let database = Database::open(options(config)).await;
        let database = database.map_err(|error| explain_store(&error, loaded))?;
        let (entropy, clock) = (surroundings.entropy.clone(), surroundings.clock.clone());
        let keyring = Keyring::unlock(&database, master, entropy, clock).await;
        Ok(Self {
            keyring: keyring.map_err(explain)?,
            data_dir,
            database,
            is_new,
        })
    }

    /// Opens what a restore or a move has filled and has yet to finish.
    pub(crate) async fn open_unfinished(
        data_dir: DataDir,
        loaded: &Loaded,
        master: MasterKey,
        surroundings: &Surroundings,
    ) -> anyhow::Result<Self> {
        let database = Database::open_unfinished(options(&loaded.config)).await;
        let database = database.map_err(|error| explain_store(&error, loaded))?;
        let (entropy, clock) = (surroundings.entropy.clone(), surroundings.clock.clone());
        let keyring = Keyring::unlock(&database, master, entropy, clock).await;
        Ok(Self {
            keyring: keyring.map_err(|error| explain_seal(error, loaded))?,
            data_dir,
            database,
            is_new: false,
        })
    }
}

/// How the database of this configuration is opened.
pub(crate) fn options(config: &Config) -> DatabaseOptions {
    DatabaseOptions {
        location: location(config),
        server_name: config.server.name.to_string(),
        migrations: migrations(),
        readers: READERS,
    }
}

/// What is where a copy is to be restored, or a deployment to be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Nothing.
    Empty,
    /// What an interrupted restore has left.
    UnfinishedRestore,
    /// What an interrupted move has left.
    UnfinishedMove,
    /// A deployment.
    Deployment,
}

/// Looks, and changes nothing.
pub(crate) async fn place(loaded: &Loaded) -> anyhow::Result<Place> {
    const READ_MARK: &str = "SELECT since FROM unfinished_restore";
    const READ_STEPS: &str = "SELECT owner FROM schema_migrations";
    let location = location(&loaded.config);
    let explain = |error: StoreError| explain_store(&error, loaded);
    let mark = Database::peek(&location, "unfinished_restore", READ_MARK).await;
    if mark.map_err(explain)?.is_some() {
        return Ok(Place::UnfinishedRestore);
    }
    if read_move(loaded).await?.is_some() {
        return Ok(Place::UnfinishedMove);
    }
    let steps = Database::peek(&location, "schema_migrations", READ_STEPS).await;
    Ok(match steps.map_err(explain)? {
        Some(_) => Place::Deployment,
        None => Place::Empty,
    })
}

/// What is known of a move that is not finished.
async fn read_move(loaded: &Loaded) -> anyhow::Result<Option<Vec<Row>>> {
    const READ: &str = "SELECT name FROM unfinished_move WHERE name = 'origin'";
    let location = location(&loaded.config);
    let notes = Database::peek(&location, "unfinished_move", READ).await;
    notes.map_err(|error| explain_store(&error, loaded))
}

async fn refuse_unfinished_move(loaded: &Loaded) -> anyhow::Result<()> {
    match read_move(loaded).await? {
        Some(_) => Err(anyhow!(UNFINISHED_MOVE)),
        None => Ok(()),
    }
}

/// Whether a database is there.
pub(crate) async fn check_exists(loaded: &Loaded) -> anyhow::Result<()> {
    let facts = Database::peek(&location(&loaded.config), "facts", READ_NAME).await;
    match facts.map_err(|error| explain_store(&error, loaded))? {
        Some(_) => Ok(()),
        None => Err(no_database(loaded)),
    }
}

/// The data directory, or the database, is not where the command was told to look.
pub(crate) fn no_database(loaded: &Loaded) -> anyhow::Error {
    let place = shown(loaded);
    anyhow!("there is no database at {place}: point database.url or --data-dir at one")
}

/// Whether a database is there that this program need not change to read it.
///
/// # Errors
///
/// When there is none, or its schema is older than the program: reading it would change it.
pub(crate) async fn check_readable(loaded: &Loaded) -> anyhow::Result<()> {
    const READ: &str = "SELECT owner, number FROM schema_migrations";
    refuse_unfinished_move(loaded).await?;
    let place = shown(loaded);
    let applied = Database::peek(&location(&loaded.config), "schema_migrations", READ).await;
    let applied = applied.map_err(|error| explain_store(&error, loaded))?;
    let Some(applied) = applied else {
        return Err(no_database(loaded));
    };
    let is_there = |owner: &str, number: i64| {
        applied
            .iter()
            .any(|row| row.text(0).ok() == Some(owner) && row.int(1).ok() == Some(number))
    };
    let missing = migrations().iter().any(|known| {
        let mut steps = known.steps.iter();
        steps.any(|step| !is_there(known.owner, step.number))
    });
    if missing {
        return Err(anyhow!(
            "the database at {place} is older than this program: start the server once, which \
             brings it up to date"
        ));
    }
    Ok(())
}

pub(crate) fn location(config: &Config) -> Location {
    match &config.database.url {
        DatabaseUrl::Sqlite(path) => Location::Sqlite(path.clone()),
        DatabaseUrl::Postgres(url) => Location::Postgres(url.expose().to_owned()),
    }
}

pub(crate) fn key_source(config: &Config) -> KeySource {
    match &config.seal.key {
        Some(key) => KeySource::Text(Zeroizing::new(key.expose().to_owned())),
        None => KeySource::File(config.seal.key_file.clone()),
    }
}

/// `database.url` without its password.
pub(crate) fn shown(loaded: &Loaded) -> String {
    shown_value(loaded, "database.url")
}

/// A key's value, without what is secret in it.
pub(crate) fn shown_value(loaded: &Loaded, key: &str) -> String {
    let entry = loaded.entries.iter().find(|entry| entry.key == key);
    entry.map_or(String::new(), |entry| {
        entry.value.trim_matches('"').to_owned()
    })
}

pub(crate) fn explain_seal(error: SealError, loaded: &Loaded) -> anyhow::Error {
    match error {
        SealError::Store(error) => explain_store(&error, loaded),
        other => other.into(),
    }
}

pub(crate) fn explain_store(error: &StoreError, loaded: &Loaded) -> anyhow::Error {
    let place = shown(loaded);
    let told_by = match loaded.origin("database.url") {
        Some(Origin::CommandLine(option)) => option,
        _ => "database.url",
    };
    let cause = chain(error);
    match error {
        // These are whole sentences.
        StoreError::Refused(_) => anyhow!("{error}"),
        StoreError::Postgres(_) | StoreError::Unavailable(_) => anyhow!(
            "the database at {place} cannot be used ({cause}): check that PostgreSQL runs there, \
             and that {told_by} is right"
        ),
        _ => anyhow!("the database at {place} cannot be used: {cause}"),
    }
}

/// An error with its causes behind colons, on one line.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    std::iter::successors(Some(error), |&error| error.source())
        // PostgreSQL puts what it advises on a line of its own.
        .map(|error| error.to_string().replace('\n', " "))
        .collect::<Vec<_>>()
        .join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever adds a table says what becomes of it when a deployment moves.
    #[tokio::test]
    async fn every_table_has_a_decision_for_when_a_deployment_moves() {
        let folder = tempfile::tempdir().unwrap();
        let options = DatabaseOptions {
            location: Location::Sqlite(folder.path().join("conclave.db")),
            server_name: "example.org".to_owned(),
            migrations: migrations(),
            readers: 1,
        };
        let database = Database::open(options).await.unwrap();
        let snapshot = database.snapshot().await.unwrap();
        let tables = snapshot.tables(&database).await.unwrap();
        let mut there: Vec<&str> = tables.iter().map(|table| &*table.name).collect();
        let mut decided: Vec<&str> = copy::DECISIONS.iter().map(|(name, _)| *name).collect();
        there.sort_unstable();
        decided.sort_unstable();
        assert_eq!(decided, there);
    }
}

//! The data directory, and the lock that keeps a second server out of it.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow};
use config::{Config, DatabaseUrl};
use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

/// The name of the lock file in the data directory.
const LOCK: &str = "conclave.lock";

/// The data directory while it is this process's alone; dropping it lets others in.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    /// Held, never read: closing a file gives up its lock.
    _locks: Vec<File>,
}

/// Why the data directory is not this process's.
#[derive(Debug)]
pub(crate) enum NotLocked {
    /// Another process has it; its id, if the lock file tells.
    InUse(Option<u32>),
    /// It cannot be made or locked.
    Failed(anyhow::Error),
}

impl DataDir {
    /// Makes the directory when it is missing, for its owner alone, and locks it.
    ///
    /// A SQLite file is locked too, wherever it lies: it cannot serve two data directories.
    pub(crate) fn lock(config: &Config) -> Result<Self, NotLocked> {
        let path = config.server.data_dir.clone();
        make(&path).map_err(NotLocked::Failed)?;
        let mut locks = vec![lock_file(&path.join(LOCK))?];
        if let DatabaseUrl::Sqlite(database) = &config.database.url {
            locks.push(lock_file(&lock_of(database))?);
        }
        Ok(Self {
            path,
            _locks: locks,
        })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl NotLocked {
    /// The sentence for who wanted to start a server.
    pub(crate) fn into_error(self, data_dir: &Path) -> anyhow::Error {
        match self {
            Self::InUse(process) => {
                let process = process.map_or(String::new(), |id| format!(" (process {id})"));
                anyhow!(
                    "another server{process} uses the data directory {}: stop it, or choose \
                     another directory with --data-dir",
                    data_dir.display()
                )
            }
            Self::Failed(error) => error,
        }
    }
}

/// The lock beside a database: the same one, by whatever name the database is reached.
fn lock_of(database: &Path) -> PathBuf {
    let mut name = match fs::canonicalize(database) {
        Ok(database) => database,
        // It does not exist yet, but its folder does.
        Err(_) => match (database.parent(), database.file_name()) {
            (Some(folder), Some(name)) => {
                fs::canonicalize(folder).map_or_else(|_| database.to_owned(), |it| it.join(name))
            }
            _ => database.to_owned(),
        },
    }
    .into_os_string();
    name.push(".lock");
    name.into()
}

fn make(path: &Path) -> anyhow::Result<()> {
    let cannot = || {
        format!(
            "the data directory {} cannot be made: choose one that you may write with --data-dir",
            path.display()
        )
    };
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(cannot)?;
    }
    let mut builder = DirBuilder::new();
    match builder.mode(0o700).create(path) {
        // Another process was first.
        Err(_) if path.is_dir() => Ok(()),
        made => made.with_context(cannot),
    }
}

fn lock_file(path: &Path) -> Result<File, NotLocked> {
    let failed = |error: std::io::Error| {
        let sentence = format!("the lock file {} cannot be used", path.display());
        NotLocked::Failed(anyhow::Error::new(error).context(sentence))
    };
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => return Err(NotLocked::InUse(process_in(&mut file))),
        Err(error) => return Err(failed(error.into())),
    }
    // Only for the message above: the lock itself is the file's, whatever it holds.
    file.set_len(0).map_err(failed)?;
    writeln!(file, "{}", std::process::id()).map_err(failed)?;
    Ok(file)
}

/// The process that locked a data directory last.
pub(crate) fn process_of(data_dir: &Path) -> Option<u32> {
    process_in(&mut File::open(data_dir.join(LOCK)).ok()?)
}

fn process_in(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use config::Sources;

    use super::*;

    fn config(data_dir: &Path, database: Option<&Path>) -> Config {
        let database = database.map_or(String::new(), |path| {
            format!("[database]\nurl = \"sqlite://{}\"", path.display())
        });
        let text = format!("[server]\ndata_dir = {:?}\n{database}", data_dir);
        let loaded = Config::load(Sources::default().with_text("test", text));
        loaded.unwrap().config
    }

    #[test]
    fn a_second_lock_is_refused_and_names_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(&folder.path().join("a/b"), None);
        let first = DataDir::lock(&config).unwrap();
        let mode = fs::metadata(first.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let refused = DataDir::lock(&config).unwrap_err();
        assert!(matches!(refused, NotLocked::InUse(Some(id)) if id == std::process::id()));
        drop(first);
        DataDir::lock(&config).unwrap();
    }

    #[test]
    fn a_database_elsewhere_serves_one_data_directory() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("shared.db");
        let first = config(&folder.path().join("a"), Some(&database));
        let second = config(&folder.path().join("b"), Some(&database));
        let _locked = DataDir::lock(&first).unwrap();
        assert!(matches!(
            DataDir::lock(&second),
            Err(NotLocked::InUse(Some(_)))
        ));
        // Neither one that lies in the other's data directory, by whatever name.
        let inside = config(&folder.path().join("c"), None);
        let _locked = DataDir::lock(&inside).unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path().join("c"), &link).unwrap();
        for name in [folder.path().join("c"), link] {
            let other = config(&folder.path().join("d"), Some(&name.join("conclave.db")));
            assert!(matches!(
                DataDir::lock(&other),
                Err(NotLocked::InUse(Some(_)))
            ));
        }
    }
}

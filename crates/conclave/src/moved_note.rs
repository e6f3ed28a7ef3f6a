//! The note beside an embedded database that has moved elsewhere: from then on there would be two
//! histories if it was served.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use store::Location;

use crate::whole_file;

/// What is known of a move; the file's name is the database's with `.moved`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MovedNote {
    /// Where to, without a password.
    pub(crate) to: String,
    /// The last position of the log at the old place.
    pub(crate) head: i64,
    /// When, as people read it.
    pub(crate) at: String,
}

impl MovedNote {
    /// Where the note of a database is.
    pub(crate) fn path_beside(database: &Path) -> PathBuf {
        let mut name = database.as_os_str().to_owned();
        name.push(".moved");
        name.into()
    }

    /// Reads the note of a database, if there is one.
    pub(crate) fn read(database: &Path) -> anyhow::Result<Option<Self>> {
        let Some(text) = whole_file::read(&Self::path_beside(database))? else {
            return Ok(None);
        };
        // Whatever stands in it, it is there.
        Ok(Some(serde_json::from_str(&text).unwrap_or(Self {
            to: "another place".to_owned(),
            head: 0,
            at: "an unknown day".to_owned(),
        })))
    }

    /// Writes the note durably: whole, or not at all.
    pub(crate) fn write(&self, database: &Path) -> anyhow::Result<()> {
        let path = Self::path_beside(database);
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        let written = whole_file::replace(&path, &text);
        written.with_context(|| format!("{} cannot be written", path.display()))
    }

    /// Refuses a database that has moved.
    pub(crate) fn refuse(location: &Location) -> anyhow::Result<()> {
        let Location::Sqlite(database) = location else {
            return Ok(());
        };
        let Some(Self { to, at, .. }) = Self::read(database)? else {
            return Ok(());
        };
        bail!(
            "the database {} was moved to {to} at {at}, and two histories would part if it was \
             used again: set database.url to the new place. Only if nobody has used that since, \
             and nobody will, remove {} and go on here",
            database.display(),
            Self::path_beside(database).display()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_of_any_content_keeps_a_database_from_being_used() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("conclave.db");
        let location = Location::Sqlite(database.clone());
        MovedNote::refuse(&location).unwrap();
        let note = MovedNote {
            to: "postgres://db/chat".to_owned(),
            head: 7,
            at: "2026-11-28T06:00:00Z".to_owned(),
        };
        note.write(&database).unwrap();
        assert_eq!(MovedNote::read(&database).unwrap(), Some(note));
        let refused = MovedNote::refuse(&location).unwrap_err().to_string();
        assert!(refused.contains("postgres://db/chat"), "{refused}");
        assert!(refused.contains("conclave.db.moved"), "{refused}");
        std::fs::write(MovedNote::path_beside(&database), "").unwrap();
        MovedNote::refuse(&location).unwrap_err();
        let elsewhere = Location::Postgres("postgres://db/chat".to_owned());
        MovedNote::refuse(&elsewhere).unwrap();
    }
}

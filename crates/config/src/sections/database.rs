//! `[database]`: where the log and all rows are.

use std::path::PathBuf;

use super::section;
use crate::{reader::Reader, values::DatabaseUrl};

section! {
    /// The database that holds everything but files.
    pub Database in "database" {
        /// SQLite in a file of this machine, or PostgreSQL 15 or newer.
        url: DatabaseUrl = derived(
            url_in_data_dir,
            "`sqlite://`, then `conclave.db` in `server.data_dir`"
        );
        /// A file that holds `database.url`, which may carry a password.
        url_file: Option<PathBuf> = "";
    }
}

fn url_in_data_dir(reader: &Reader) -> String {
    format!(
        "sqlite://{}",
        super::server::in_data_dir(reader, "conclave.db")
    )
}

//! `[database]`: where the log and all rows are.

use std::path::PathBuf;

use super::section;
use crate::{reader::Reader, values::DatabaseUrl};

section! {
    /// The database that holds everything but files.
    pub Database in "database" {
        /// SQLite in a file of this machine, or PostgreSQL 15 or newer. Several hosts are joined by
        /// commas; whichever takes writes is used. `sslmode=verify-full` speaks TLS to a server
        /// alone whose certificate is for the name or address that stands here, from an authority
        /// of `sslrootcert=FILE` (PEM; the system's without it); `sslmode=disable` speaks in
        /// clear. Without either, a Unix socket, a loopback address and `localhost` are spoken to
        /// in clear, and every other host as with `verify-full`. The other modes of libpq are
        /// refused. `sslcert=FILE` and `sslkey=FILE` name a certificate of this server, and
        /// `channel_binding=require` binds the password to the connection. The files are read
        /// again for each connection.
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

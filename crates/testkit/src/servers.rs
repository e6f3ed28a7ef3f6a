//! Throw-away servers for tests, on loopback, gone when the process that started them is gone.
//!
//! Each stands under a small shell script that waits on a pipe from this process: when the pipe
//! closes, for whatever reason, the script stops the server and removes its directory. So nothing
//! is left behind by a panic, by Ctrl-C or by `kill -9`.

mod balancer;
mod nats;
mod postgres;
mod programs;
mod smtp;
mod supervisor;

pub use balancer::{Balancer, BalancerKind};
pub use nats::Nats;
pub use postgres::{Postgres, PostgresTls};
pub use smtp::{Smtp, SmtpEncryption, SmtpOptions};

/// Names the variable that carries the URL of a PostgreSQL server on which tests may create databases.
pub const POSTGRES_URL_VARIABLE: &str = "CONCLAVE_TEST_POSTGRES_URL";

/// Names the variable that carries the URL of a NATS server that tests may share.
pub const NATS_URL_VARIABLE: &str = "CONCLAVE_TEST_NATS_URL";

/// Says why a server is not there.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Its program is not on this machine.
    #[error("{program} is not installed: run `apt-get install {package}`")]
    Missing {
        /// What was looked for.
        program: &'static str,
        /// The Debian package that brings it.
        package: &'static str,
    },
    /// The account that it would run under does not exist.
    #[error(
        "this is root, and there is neither a user `postgres` nor a user `nobody` to run servers as"
    )]
    NoUser,
    /// It was started and did not come up, or did not obey; its own words follow.
    #[error("{program} did not {act}: {log}")]
    Failed {
        /// Which server.
        program: &'static str,
        /// What it was told.
        act: &'static str,
        /// The end of what it logged.
        log: String,
    },
    /// A directory, a pipe or a process could not be made.
    #[error("cannot {what}")]
    Io {
        /// What was attempted.
        what: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
}

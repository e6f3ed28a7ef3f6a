//! How many files and connections the operating system lets this process have.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Kept free for the database, uploads and whatever else is not a connection.
const RESERVED: u64 = 512;

/// More than this many connections are never accepted at once.
const MOST_CONNECTIONS: u64 = 200_000;

/// Raises the limit on open files as far as it goes: each idle connection is an open file.
pub(crate) fn raise_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        let raised = Rlimit {
            current: maximum,
            maximum,
        };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::warn!(%error, "the limit on open files could not be raised");
        }
    }
}

/// How many connections may be open at once under the limit on open files.
pub(crate) fn most_connections() -> usize {
    // `None` stands for no limit at all.
    connections_under(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX))
}

/// The limit to which [`raise_limit`] can raise that of a process that is started here.
pub(crate) fn highest_limit() -> u64 {
    getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX)
}

/// How many connections may be open at once under a limit on open files.
pub(crate) fn connections_under(files: u64) -> usize {
    let connections = files.saturating_sub(RESERVED).max(files / 2);
    usize::try_from(connections.clamp(16, MOST_CONNECTIONS)).unwrap_or(16)
}

//! One throw-away PostgreSQL cluster.

use std::{
    ffi::OsStr,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
};

use super::{ServerError, programs, supervisor::Supervisor};

const SCRIPT: &str = include_str!("postgres.sh");

/// Where Debian keeps each version's programs.
const DEBIAN: &str = "/usr/lib/postgresql";

/// A free port can be taken before the server binds it.
const ATTEMPTS: u32 = 3;

/// What a PostgreSQL server shows of itself over TLS, and whom it lets in. All is PEM.
#[derive(Clone, Copy, Debug)]
pub struct PostgresTls<'a> {
    /// Its certificate.
    pub certificate: &'a str,
    /// Its private key.
    pub key: &'a str,
    /// The authority whose certificates it asks of clients, or nothing.
    pub clients: &'a str,
    /// Lines of `pg_hba.conf` that come before the one that trusts every connection.
    pub rules: &'a str,
}

/// A PostgreSQL server of its own, in a temporary directory, on a free port of 127.0.0.1.
///
/// It syncs to disk like a real one, trusts every connection, and is gone when this is dropped or
/// the process ends. All methods block: call them outside of an async task, or from one that may.
#[derive(Debug)]
pub struct Postgres {
    supervisor: Supervisor,
    port: u16,
}

impl Postgres {
    /// Says whether a supported PostgreSQL is on this machine.
    pub fn is_installed() -> bool {
        programs::postgres(Path::new(DEBIAN)).is_some()
    }

    /// Makes a cluster and waits until it accepts connections.
    pub fn start() -> Result<Self, ServerError> {
        let bin = Self::programs()?;
        let mut attempt = 1;
        loop {
            match Self::start_once(&bin, None, None) {
                Err(ServerError::Failed { .. }) if attempt < ATTEMPTS => attempt += 1,
                outcome => return outcome,
            }
        }
    }

    /// The same, for a cluster that speaks TLS to those who ask for it.
    pub fn start_with_tls(tls: &PostgresTls<'_>) -> Result<Self, ServerError> {
        let bin = Self::programs()?;
        let mut attempt = 1;
        loop {
            match Self::start_once(&bin, None, Some(tls)) {
                Err(ServerError::Failed { .. }) if attempt < ATTEMPTS => attempt += 1,
                outcome => return outcome,
            }
        }
    }

    /// Shows another certificate to who connects from now on.
    pub fn show(&mut self, certificate: &str, key: &str) -> Result<(), ServerError> {
        self.supervisor.place("server.crt", certificate)?;
        self.supervisor.place("server.key", key)?;
        self.supervisor.order("reload").map(drop)
    }

    /// Makes a standby that streams from `primary`, and waits until it can be read.
    pub fn start_standby(primary: &Self) -> Result<Self, ServerError> {
        let bin = Self::programs()?;
        Self::start_once(&bin, Some(primary.port), None)
    }

    /// Has this server acknowledge no commit from now on that its standby has not on disk.
    pub fn wait_for_standbys(&mut self) -> Result<(), ServerError> {
        self.supervisor.order("synchronous").map(drop)
    }

    /// Has this server acknowledge what it alone has on disk.
    pub fn wait_for_nobody(&mut self) -> Result<(), ServerError> {
        self.supervisor.order("asynchronous").map(drop)
    }

    /// Makes a standby the primary: it takes writes when this returns.
    pub fn promote(&mut self) -> Result<(), ServerError> {
        self.supervisor.order("promote").map(drop)
    }

    fn programs() -> Result<PathBuf, ServerError> {
        programs::postgres(Path::new(DEBIAN)).ok_or(ServerError::Missing {
            program: "PostgreSQL 15 or newer",
            package: "postgresql",
        })
    }

    fn start_once(
        bin: &Path,
        primary: Option<u16>,
        tls: Option<&PostgresTls<'_>>,
    ) -> Result<Self, ServerError> {
        let port = free_port().map_err(|source| ServerError::Io {
            what: "find a free port",
            source,
        })?;
        let port_text = port.to_string();
        let primary = primary.map(|port| port.to_string()).unwrap_or_default();
        let arguments = [
            bin.as_os_str(),
            OsStr::new(&port_text),
            OsStr::new(&primary),
        ];
        let mut supervisor = Supervisor::spawn("PostgreSQL", SCRIPT, &arguments)?;
        if let Some(tls) = tls {
            supervisor.place("server.crt", tls.certificate)?;
            supervisor.place("server.key", tls.key)?;
            supervisor.place("clients.crt", tls.clients)?;
            supervisor.place("rules", &format!("{}\n", tls.rules))?;
        }
        supervisor.order("start")?;
        Ok(Self { supervisor, port })
    }

    /// The URL of the superuser's database; other databases differ in the last segment.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Makes an empty database, in UTF-8 and with the order of bytes, and gives its URL.
    pub fn create_database(&mut self, name: &str) -> Result<String, ServerError> {
        self.supervisor.order_for("database", name)?;
        Ok(format!(
            "postgres://postgres@127.0.0.1:{}/{name}",
            self.port
        ))
    }

    /// Where the cluster keeps its files: readable once it is stopped, until this is dropped.
    pub fn data_dir(&self) -> PathBuf {
        self.supervisor.directory().join("data")
    }

    /// Stops the server in good order and leaves its files where they are.
    pub fn stop(&mut self) -> Result<(), ServerError> {
        self.supervisor.order("stop").map(drop)
    }

    /// Stops the server at once, as a crash would: it recovers from its log at the next start.
    pub fn crash(&mut self) -> Result<(), ServerError> {
        self.supervisor.order("crash").map(drop)
    }

    /// Kills the process that all others of the server belong to; none can tidy up after it.
    pub fn kill(&mut self) -> Result<(), ServerError> {
        self.supervisor.order("kill").map(drop)
    }

    /// Starts a stopped server again, on the same port.
    pub fn restart(&mut self) -> Result<(), ServerError> {
        self.supervisor.order("start").map(drop)
    }
}

fn free_port() -> std::io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}

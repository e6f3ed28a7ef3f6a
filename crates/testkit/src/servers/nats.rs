//! One throw-away NATS server.

use std::ffi::OsStr;

use super::{ServerError, programs, supervisor::Supervisor};

const SCRIPT: &str = include_str!("nats.sh");

const PROGRAM: &str = "nats-server";

/// A NATS server of its own, without JetStream, on a free port of 127.0.0.1.
///
/// It is gone when this is dropped or the process ends. All methods block.
#[derive(Debug)]
pub struct Nats {
    supervisor: Supervisor,
    port: String,
}

impl Nats {
    /// Says whether a NATS server is on this machine.
    pub fn is_installed() -> bool {
        find().is_some()
    }

    /// Starts a server and waits until it accepts connections.
    pub fn start() -> Result<Self, ServerError> {
        Self::start_with(&[])
    }

    /// Starts a server with further arguments of its command line, such as `--user`.
    pub fn start_with(arguments: &[&str]) -> Result<Self, ServerError> {
        let program = find().ok_or(ServerError::Missing {
            program: PROGRAM,
            package: PROGRAM,
        })?;
        let mut all = vec![program.as_os_str()];
        all.extend(arguments.iter().map(OsStr::new));
        let mut supervisor = Supervisor::spawn(PROGRAM, SCRIPT, &all)?;
        let port = supervisor.order("start")?;
        Ok(Self { supervisor, port })
    }

    /// The URL that a client connects to.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Kills the server: connections break.
    pub fn stop(&mut self) -> Result<(), ServerError> {
        self.supervisor.order("stop").map(drop)
    }

    /// Starts a killed server again, on the same port.
    pub fn restart(&mut self) -> Result<(), ServerError> {
        self.supervisor.order("start").map(drop)
    }
}

fn find() -> Option<std::path::PathBuf> {
    programs::on_path(std::env::var_os("PATH").as_deref(), PROGRAM)
}

//! One throw-away mail server.

use std::{
    ffi::OsStr,
    fs,
    process::{Command, Stdio},
};

use super::{ServerError, supervisor::Supervisor};

const SCRIPT: &str = include_str!("smtp.sh");
const SERVER: &str = include_str!("smtp.py");

/// The interpreter for which Debian's packages are.
const PYTHON: &str = "/usr/bin/python3";

const PROGRAM: &str = "aiosmtpd";
const PACKAGE: &str = "python3-aiosmtpd";

/// How the connection to a mail server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpEncryption {
    /// Not at all.
    None,
    /// Once the client has asked for it; before, no mail is taken.
    StartTls,
    /// From the start.
    Tls,
}

/// What a mail server is to be.
#[derive(Clone, Copy, Debug)]
pub struct SmtpOptions<'a> {
    /// How the connection is protected.
    pub encryption: SmtpEncryption,
    /// The files of its certificate and key, which everybody has to be able to read.
    pub certificate: Option<(&'a str, &'a str)>,
    /// The user and password without whom no mail is taken.
    pub user: Option<(&'a str, &'a str)>,
}

/// A mail server on a free port of 127.0.0.1. What it does with a mail is in the local part of the
/// recipient: `refused`, `later` and `content` are refused, `slow` is never answered, `cut` and
/// `cutlate` end the connection, before and after the mail was taken; all others are taken.
///
/// It is gone when this is dropped or the process ends. All methods block.
#[derive(Debug)]
pub struct Smtp {
    supervisor: Supervisor,
    port: u16,
}

impl Smtp {
    /// Says whether the program is on this machine.
    pub fn is_installed() -> bool {
        let found = Command::new(PYTHON)
            .args(["-c", "import aiosmtpd"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        found.is_ok_and(|status| status.success())
    }

    /// Starts a server and waits until it accepts connections.
    pub fn start(options: SmtpOptions<'_>) -> Result<Self, ServerError> {
        if !Self::is_installed() {
            let (program, package) = (PROGRAM, PACKAGE);
            return Err(ServerError::Missing { program, package });
        }
        let encryption = match options.encryption {
            SmtpEncryption::None => "none",
            SmtpEncryption::StartTls => "starttls",
            SmtpEncryption::Tls => "tls",
        };
        let (certificate, key) = options.certificate.unwrap_or_default();
        let (user, password) = options.user.unwrap_or_default();
        let arguments = [PYTHON, SERVER, encryption, certificate, key, user, password];
        let arguments = arguments.map(OsStr::new);
        let mut supervisor = Supervisor::spawn(PROGRAM, SCRIPT, &arguments)?;
        let port = supervisor.order("start")?;
        let port = port.parse().map_err(|_| ServerError::Failed {
            program: PROGRAM,
            act: "start",
            log: port,
        })?;
        Ok(Self { supervisor, port })
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The mails that it took, the oldest first: each with the envelope in the first lines (`MAIL
    /// FROM: …`, `RCPT TO: …`, `AUTH: …`), and behind that the mail as it came.
    pub fn mails(&self) -> Vec<String> {
        let entries = fs::read_dir(self.supervisor.directory());
        let entries = entries.into_iter().flatten().flatten();
        let paths = entries.map(|entry| entry.path());
        let mut paths: Vec<_> = paths
            .filter(|path| path.extension() == Some(OsStr::new("mail")))
            .collect();
        paths.sort();
        let mails = paths.iter().map(|path| fs::read(path).unwrap_or_default());
        mails
            .map(|mail| String::from_utf8_lossy(&mail).into_owned())
            .collect()
    }

    /// Kills the server: connections break, and the mails stay where they are.
    pub fn stop(&mut self) -> Result<(), ServerError> {
        self.supervisor.order("stop").map(drop)
    }

    /// Starts a killed server again, on the same port.
    pub fn restart(&mut self) -> Result<(), ServerError> {
        self.supervisor.order("start").map(drop)
    }
}

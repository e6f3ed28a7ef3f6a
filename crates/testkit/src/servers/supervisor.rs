//! The pipe to the shell script that keeps one server.

use std::{
    ffi::OsStr,
    fs,
    io::{self, BufRead, BufReader, Write},
    os::unix::{
        fs::{OpenOptionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use super::{ServerError, programs};

/// How much of a server's log an error quotes.
const QUOTED_LINES: usize = 12;

/// A running script and the directory that it will remove at its end.
#[derive(Debug)]
pub(super) struct Supervisor {
    program: &'static str,
    directory: PathBuf,
    account: Option<programs::Account>,
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Supervisor {
    /// Makes a directory and starts `script` there; the script answers `start` and other orders.
    pub(super) fn spawn(
        program: &'static str,
        script: &str,
        arguments: &[&OsStr],
    ) -> Result<Self, ServerError> {
        let account = programs::unprivileged()?;
        let directory = directory(account).map_err(|source| ServerError::Io {
            what: "make a directory for a throw-away server",
            source,
        })?;
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", script, program])
            .arg(&directory)
            .args(arguments)
            .current_dir(&directory)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // Ctrl-C goes to the foreground group: the script outlives it and tidies up.
            .process_group(0);
        if let Some(account) = account {
            command.uid(account.uid).gid(account.gid);
        }
        let mut child = command.spawn().map_err(|source| ServerError::Io {
            what: "start /bin/sh",
            source,
        })?;
        let orders = child.stdin.take();
        let answers = child.stdout.take().expect("stdout was asked to be a pipe");
        Ok(Self {
            program,
            directory,
            account,
            child,
            orders,
            answers: BufReader::new(answers),
        })
    }

    /// Gives an order and waits for its answer: what stands behind `ok`.
    pub(super) fn order(&mut self, act: &'static str) -> Result<String, ServerError> {
        self.order_line(act, act)
    }

    /// Gives an order that is about something with a name, of one word.
    pub(super) fn order_for(
        &mut self,
        act: &'static str,
        name: &str,
    ) -> Result<String, ServerError> {
        self.order_line(act, &format!("{act} {name}"))
    }

    fn order_line(&mut self, act: &'static str, line: &str) -> Result<String, ServerError> {
        let answer = self.exchange(line).map_err(|source| ServerError::Io {
            what: "talk to a throw-away server's script",
            source,
        })?;
        match answer.trim_end().strip_prefix("ok") {
            Some(detail) => Ok(detail.trim_start().to_owned()),
            None => Err(ServerError::Failed {
                program: self.program,
                act,
                log: last_lines(&self.directory.join("log")),
            }),
        }
    }

    /// Where the server keeps its files.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Puts a file there that only the server reads, and removes one that is there.
    pub(super) fn place(&self, name: &str, text: &str) -> Result<(), ServerError> {
        let path = self.directory.join(name);
        let placed = (|| {
            drop(fs::remove_file(&path));
            let mut options = fs::OpenOptions::new();
            let mut file = options
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)?;
            file.write_all(text.as_bytes())?;
            match self.account {
                Some(account) => chown(&path, Some(account.uid), Some(account.gid)),
                None => Ok(()),
            }
        })();
        placed.map_err(|source| ServerError::Io {
            what: "give a file to a throw-away server",
            source,
        })
    }

    fn exchange(&mut self, line: &str) -> io::Result<String> {
        let orders = self.orders.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        writeln!(orders, "{line}")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        Ok(answer)
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        // Closing the pipe is the order to end; waiting makes the end visible to who drops.
        self.orders = None;
        let _ = self.child.wait();
    }
}

fn directory(account: Option<programs::Account>) -> io::Result<PathBuf> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("conclave-test-");
    // Root's own temporary folder may lie where the account cannot go.
    let directory = match account {
        Some(_) => builder.tempdir_in("/tmp")?,
        None => builder.tempdir()?,
    };
    if let Some(account) = account {
        chown(directory.path(), Some(account.uid), Some(account.gid))?;
    }
    // The script removes it, also when this process cannot.
    Ok(directory.keep())
}

fn last_lines(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let start = lines.len().saturating_sub(QUOTED_LINES);
    lines[start..].join("\n")
}

//! A started server, with data of its own.

use std::{
    env,
    ffi::OsString,
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::{
    io::AsyncWriteExt as _,
    process::{Child, Command},
    time::timeout,
};

use crate::{
    plain::Plain,
    postgres::Database,
    waiting::{PATIENCE, eventually},
};

/// Names the variable that tells which program is the server.
const VARIABLE: &str = "CONCLAVE_TEST_SERVER";

/// The name of every server here, which ends the ids of its users.
pub const NAME: &str = "example.org";

/// How many lines of a server's output are shown when a story fails.
const LAST_WORDS: usize = 60;

/// How the server treats rooms that are not encrypted: the values of `encryption.rooms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// Encryption is the clients' choice.
    Off,
    /// Private rooms are encrypted, asked or not.
    Private,
    /// There is nothing but encrypted rooms.
    Required,
}

impl Encryption {
    fn value(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Private => "private",
            Self::Required => "required",
        }
    }
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    process: Child,
    program: OsString,
    environment: Vec<(&'static str, OsString)>,
    url: String,
    folder: TempDir,
}

impl Server {
    /// Starts a server on a free port, on SQLite or on the given database, with the application
    /// service of a registration file.
    ///
    /// # Errors
    ///
    /// When there is no server to start, or it is not ready in time.
    pub async fn start(
        encryption: Encryption,
        database: Option<&Database>,
        registration: Option<&Path>,
    ) -> Result<Self> {
        let program = env::var_os(VARIABLE).with_context(|| {
            format!("{VARIABLE} names no server: run `cargo xtask test --clients`")
        })?;
        let folder = tempfile::tempdir()?;
        let port = free_port()?;
        let mut environment = environment(&folder.path().join("data"), port, encryption, database);
        if let Some(file) = registration {
            environment.push(("CONCLAVE__APPSERVICES__REGISTRATIONS", file.into()));
        }
        let process = launch(&program, &environment, folder.path())?;
        let mut server = Self {
            process,
            program,
            environment,
            url: format!("http://127.0.0.1:{port}"),
            folder,
        };
        server.is_ready().await?;
        Ok(server)
    }

    /// Moves everything that it has to an empty database, and starts it there, at the same address.
    ///
    /// # Errors
    ///
    /// When it does not stop, move or start.
    pub async fn move_to(&mut self, database: &Database) -> Result<()> {
        self.stop().await?;
        self.command(&["migrate", "--to", &database.url], "")
            .await?;
        let url = database.url.as_str().into();
        self.environment.push(("CONCLAVE__DATABASE__URL", url));
        self.process = launch(&self.program, &self.environment, self.folder.path())?;
        self.is_ready().await
    }

    async fn is_ready(&mut self) -> Result<()> {
        let ready = self.wait_until_ready().await;
        ready.with_context(|| format!("the server's last words:\n{}", self.last_words()))
    }

    /// Where it answers.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The folder in which it keeps its data.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The file with everything that it wrote to its standard output and error output.
    #[must_use]
    pub fn output_file(&self) -> PathBuf {
        self.folder.path().join("output")
    }

    /// The last lines of what it wrote there.
    #[must_use]
    pub fn last_words(&self) -> String {
        let bytes = fs::read(self.output_file()).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LAST_WORDS)..].join("\n")
    }

    /// Runs another of the program's commands beside the server, and returns what it printed.
    ///
    /// # Errors
    ///
    /// When the command fails.
    pub async fn command(&self, arguments: &[&str], input: &str) -> Result<String> {
        let name = format!("`conclave {}`", arguments.join(" "));
        let mut process = command(&self.program, &self.environment, self.folder.path())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = process.stdin.take() {
            // A command that does not read leaves the pipe broken; its exit code tells more.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
        let output = timeout(PATIENCE, process.wait_with_output())
            .await
            .with_context(|| format!("{name} does not end"))??;
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        let stderr = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "{name} failed, {}: {stdout}{stderr}",
            output.status
        );
        Ok(stdout)
    }

    /// Asks it to stop, and waits until it has, long polls and all.
    ///
    /// # Errors
    ///
    /// When it does not stop, or stops as after a failure.
    pub async fn stop(&mut self) -> Result<()> {
        let id = self
            .process
            .id()
            .context("the server has stopped already")?;
        let id = i32::try_from(id).ok().and_then(Pid::from_raw);
        kill_process(id.context("the server has no process id")?, Signal::TERM)?;
        let status = timeout(PATIENCE, self.process.wait())
            .await
            .context("the server does not stop when it is asked to")??;
        ensure!(status.success(), "the server stopped with {status}");
        Ok(())
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let plain = Plain::new(&self.url);
        let process = &mut self.process;
        eventually("the server is ready", async || {
            if let Some(status) = process.try_wait()? {
                anyhow::bail!("the server ended with {status}");
            }
            let probe = plain.download("/_conclave/health/ready").await;
            Ok(probe.ok())
        })
        .await
        .map(drop)
    }
}

/// What differs from a server without any configuration, for `serve` and all other commands.
fn environment(
    data: &Path,
    port: u16,
    encryption: Encryption,
    database: Option<&Database>,
) -> Vec<(&'static str, OsString)> {
    let mut environment: Vec<(&str, OsString)> = vec![
        ("CONCLAVE__SERVER__NAME", NAME.into()),
        ("CONCLAVE__SERVER__DATA_DIR", data.into()),
        (
            "CONCLAVE__SERVER__LISTEN",
            format!("127.0.0.1:{port}").into(),
        ),
        ("CONCLAVE__ENCRYPTION__ROOMS", encryption.value().into()),
        // Several servers run at the same time, and nobody looks at their metrics.
        ("CONCLAVE__METRICS__LISTEN", "".into()),
        // No person writes a hundred messages as fast as a test.
        ("CONCLAVE__RATE_LIMITS__ENABLED", "false".into()),
    ];
    if let Some(database) = database {
        environment.push(("CONCLAVE__DATABASE__URL", database.url.as_str().into()));
    }
    environment
}

/// Starts the server; what it writes is added to what earlier starts have written.
fn launch(
    program: &OsString,
    environment: &[(&'static str, OsString)],
    folder: &Path,
) -> Result<Child> {
    let mut options = File::options();
    let output = options.create(true).append(true);
    let output = output.open(folder.join("output"))?;
    command(program, environment, folder)
        .arg("serve")
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .spawn()
        .with_context(|| format!("cannot start {}", program.display()))
}

/// A call of the program that sees none of the caller's own configuration, and ends with it.
fn command(program: &OsString, environment: &[(&'static str, OsString)], folder: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("CONCLAVE") {
            command.env_remove(name);
        }
    }
    command
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .current_dir(folder)
        .kill_on_drop(true);
    command
}

/// A port that nobody listens on.
///
/// # Errors
///
/// When there is none.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("there is no free port")?;
    Ok(listener.local_addr()?.port())
}

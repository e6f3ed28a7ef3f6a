//! The server's own program as a child process, for tests that kill it and for real clients.

use std::{
    ffi::OsString,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::{Child, Command},
};

use crate::{
    eventually_within,
    postgres::{self, TestDatabase},
};

/// Names the variable that tells which program is the server.
pub const SERVER_VARIABLE: &str = "CONCLAVE_TEST_SERVER";

/// A debug build on a loaded machine takes its time.
const PATIENCE: Duration = Duration::from_secs(30);

/// Which database a server is started on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A file in the server's data directory.
    Sqlite,
    /// A database of its own on the server that tests share.
    Postgres,
}

/// A server in a process of its own, with a data directory of its own, both gone when this is
/// dropped.
#[derive(Debug)]
pub struct TestServer {
    program: PathBuf,
    environment: Vec<(String, OsString)>,
    address: SocketAddr,
    process: Option<Child>,
    folder: TempDir,
    database: Option<TestDatabase>,
}

impl TestServer {
    /// Starts the program that `CONCLAVE_TEST_SERVER` names, or else the one beside this test.
    ///
    /// # Panics
    ///
    /// When it does not become ready; its log is shown.
    pub async fn start(engine: Engine) -> Self {
        Self::start_program(&program(), engine, &[]).await
    }

    /// Starts this program with these keys of the configuration, such as
    /// `("rate_limits.enabled", "true")`.
    ///
    /// # Panics
    ///
    /// When it does not become ready; its log is shown.
    pub async fn start_program(program: &Path, engine: Engine, keys: &[(&str, &str)]) -> Self {
        let mut server = Self::prepare_program(program, engine, keys).await;
        server.begin().await;
        server
    }

    /// Makes a place for a server of this program, with nothing in it: [`TestServer::restart`]
    /// starts it, and its commands can be run before.
    pub async fn prepare_program(program: &Path, engine: Engine, keys: &[(&str, &str)]) -> Self {
        let database = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(postgres::database().await),
        };
        let folder = tempfile::tempdir().expect("there is a temporary folder");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let mut environment = vec![
            variable("server.data_dir", folder.path().join("data")),
            variable("server.listen", address.to_string()),
            // Several servers run at the same time, and nobody looks at their metrics.
            variable("metrics.listen", ""),
            variable("rate_limits.enabled", "false"),
        ];
        if let Some(database) = &database {
            environment.push(variable("database.url", &database.url));
        }
        environment.extend(keys.iter().map(|(key, value)| variable(key, value)));
        Self {
            program: program.to_owned(),
            environment,
            address,
            process: None,
            folder,
            database,
        }
    }

    /// Where it answers, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address on which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of its database, if that is on PostgreSQL.
    pub fn database_url(&self) -> Option<&str> {
        let database = self.database.as_ref();
        database.map(|database| database.url.as_str())
    }

    /// Has it listen on another address than loopback, from its next start on.
    pub fn listen_on(&mut self, address: IpAddr) {
        self.address.set_ip(address);
        self.set("server.listen", &self.address.to_string());
    }

    /// Its data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Everything that it has written, over all its starts: what it says, then its log.
    pub fn output(&self) -> String {
        let read =
            |name: &str| std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
        read("stdout") + &read("stderr")
    }

    /// The running server's process.
    pub fn process(&self) -> Option<Pid> {
        let id = self.process.as_ref()?.id()?;
        Pid::from_raw(i32::try_from(id).ok()?)
    }

    /// Ends it at once, as a crash would, and waits until it is gone.
    pub async fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().await.expect("one's own child can be killed");
        }
    }

    /// Starts it again, on the same address and data; kills it first if it runs.
    ///
    /// # Panics
    ///
    /// When it does not become ready; its log is shown.
    pub async fn restart(&mut self) {
        self.kill().await;
        self.begin().await;
    }

    /// Asks it to stop, and waits until it has.
    ///
    /// # Panics
    ///
    /// When it does not stop in time, or stops as after a failure.
    pub async fn stop(&mut self) {
        let id = self.process().expect("the server runs");
        let mut process = self.process.take().expect("the server runs");
        kill_process(id, Signal::TERM).expect("one's own child can be asked");
        let status = tokio::time::timeout(PATIENCE, process.wait()).await;
        let status = status.unwrap_or_else(|_| panic!("it does not stop:\n{}", self.output()));
        let status = status.expect("one's own child can be waited for");
        assert!(
            status.success(),
            "the server stopped with {status}:\n{}",
            self.output()
        );
    }

    /// Runs another of the program's commands with the same configuration.
    pub async fn command(&self, arguments: &[&str], input: &str) -> Output {
        let mut process = self
            .program_with_environment()
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        if let Some(mut stdin) = process.stdin.take() {
            // A command that does not read leaves the pipe broken; its exit code tells more.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
        let output = tokio::time::timeout(PATIENCE, process.wait_with_output()).await;
        output
            .unwrap_or_else(|_| panic!("{arguments:?} does not end"))
            .expect("one's own child can be waited for")
    }

    /// Begins another of the program's commands with the same configuration, for who kills it:
    /// what it says comes through pipes, and it is gone when this is dropped.
    ///
    /// # Panics
    ///
    /// When the program cannot be started.
    pub fn begin_command(&self, arguments: &[&str]) -> Child {
        let mut command = self.program_with_environment();
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().expect("the program starts")
    }

    /// Sets a key of the configuration, for the next start and all further commands.
    pub fn set(&mut self, key: &str, value: &str) {
        self.environment.push(variable(key, value));
    }

    /// Starts it and returns at once, for who kills it before it is ready.
    ///
    /// # Panics
    ///
    /// When its program cannot be started.
    pub fn launch(&mut self) {
        let open = |name: &str| {
            let mut options = std::fs::OpenOptions::new();
            let path = self.folder.path().join(name);
            options.create(true).append(true).open(path)
        };
        let child = self
            .program_with_environment()
            .arg("serve")
            .stdin(Stdio::null())
            .stdout(open("stdout").expect("a file can be made"))
            .stderr(open("stderr").expect("a file can be made"))
            .spawn();
        let program = self.program.display();
        let child =
            child.unwrap_or_else(|error| panic!("cannot start the server {program}: {error}"));
        self.process = Some(child);
    }

    async fn begin(&mut self) {
        self.launch();
        let address = self.address;
        let mut process = self.process.take().expect("it was launched");
        let ended = eventually_within(PATIENCE, "the server is ready or ends", || {
            let ended = process.try_wait().expect("one's own child can be asked");
            async move {
                match ended {
                    Some(status) => Some(Some(status)),
                    None => is_ready(address).await.then_some(None),
                }
            }
        });
        if let Some(status) = ended.await {
            panic!("the server ended with {status}:\n{}", self.output());
        }
        self.process = Some(process);
    }

    /// A call of the program that sees none of the caller's own configuration.
    fn program_with_environment(&self) -> Command {
        let mut command = Command::new(&self.program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CONCLAVE") {
                command.env_remove(name);
            }
        }
        command
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder.path())
            .kill_on_drop(true);
        command
    }
}

fn variable(key: &str, value: impl Into<OsString>) -> (String, OsString) {
    let name = format!("CONCLAVE__{}", key.to_uppercase().replace('.', "__"));
    (name, value.into())
}

/// Cargo puts tests into `deps`, one folder below the program.
fn program() -> PathBuf {
    if let Some(program) = std::env::var_os(SERVER_VARIABLE) {
        return program.into();
    }
    let test = std::env::current_exe().expect("a test knows its own file");
    let folder = test.parent().and_then(Path::parent);
    let program = folder.map(|folder| folder.join("conclave"));
    match program {
        Some(program) if program.is_file() => program,
        _ => panic!("there is no server: run `cargo build -p conclave`, or set {SERVER_VARIABLE}"),
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port");
    let address = listener.local_addr();
    address.expect("a bound socket has an address").port()
}

/// Whether the health endpoint says that requests may come.
async fn is_ready(address: SocketAddr) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(address).await?;
        let request =
            "GET /_conclave/health/ready HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await?;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await?;
        std::io::Result::Ok(&answer == b"HTTP/1.1 200")
    };
    matches!(tokio::time::timeout(PATIENCE, ask).await, Ok(Ok(true)))
}

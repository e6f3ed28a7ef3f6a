//! Starting a server that is to be measured, with an empty database, open registration and no
//! rate limits, on a free loopback port.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};

/// How long a server may take until it answers.
const PATIENCE: Duration = Duration::from_secs(180);

/// How often it is asked: the grain of a cold start.
const GRAIN: Duration = Duration::from_millis(1);

const CONCLAVE: &str = r#"[server]
name = "localhost"
listen = "127.0.0.1:{port}"
[metrics]
listen = "127.0.0.1:{second_port}"
[registration]
mode = "open"
[rate_limits]
enabled = false
"#;

/// What differs from the configuration that Synapse generates: registration, no limits, and cheap
/// passwords. Thousands of people are registered before a measurement, never within one.
const SYNAPSE: &str = r#"server_name: localhost
report_stats: false
pid_file: {folder}/homeserver.pid
listeners:
  - port: {port}
    bind_addresses: ["127.0.0.1"]
    type: http
    resources: [{names: [client]}]
database: {database}
log_config: "{folder}/log.yaml"
media_store_path: "{folder}/media"
signing_key_path: "{folder}/signing.key"
registration_shared_secret: bench
macaroon_secret_key: bench
form_secret: bench
enable_registration: true
enable_registration_without_verification: true
trusted_key_servers: []
bcrypt_rounds: 4
max_upload_size: 100M
rc_message: &free {per_second: 1000000, burst_count: 1000000}
rc_registration: *free
rc_login: {address: *free, account: *free, failed_attempts: *free}
rc_joins: {local: *free, remote: *free}
rc_joins_per_room: *free
rc_invites: {per_room: *free, per_user: *free, per_issuer: *free}
rc_admin_redaction: *free
rc_room_creation: *free
rc_presence: {per_user: *free}
rc_media_create: *free
"#;

const SYNAPSE_ON_SQLITE: &str = r#"{name: sqlite3, args: {database: "{folder}/homeserver.db"}}"#;

/// The sizes of its pool are those of its documentation.
const SYNAPSE_ON_POSTGRES: &str =
    r#"{name: psycopg2, args: {dsn: "{database_url}", cp_min: 5, cp_max: 10}}"#;

const SYNAPSE_LOG: &str = "version: 1\nroot: {level: ERROR}\ndisable_existing_loggers: false\n";

/// Which server, and where its program is.
pub(super) enum Kind {
    /// Our own program.
    Conclave(PathBuf),
    /// A Python environment.
    Synapse(PathBuf),
}

/// What a server shares with others. By default that is nothing, and it keeps its data in SQLite.
#[derive(Clone, Default)]
pub(super) struct Shared {
    /// The URL of its database on PostgreSQL.
    pub(super) database: Option<String>,
    /// The URL of the NATS server of its deployment.
    pub(super) bus: Option<String>,
    /// The master key of its deployment, when another node made it.
    pub(super) key_file: Option<PathBuf>,
}

impl Shared {
    /// The sections of our own configuration that say so.
    fn sections(&self) -> String {
        let values = [
            ("database", "url", self.database.clone()),
            ("bus", "url", self.bus.clone()),
            (
                "seal",
                "key_file",
                self.key_file
                    .as_ref()
                    .map(|file| file.display().to_string()),
            ),
        ];
        values
            .into_iter()
            .filter_map(|(section, key, value)| {
                let value = toml::Value::String(value?);
                Some(format!("[{section}]\n{key} = {value}\n"))
            })
            .collect()
    }
}

/// A server that answers; it is killed when this is dropped.
pub(super) struct Running {
    pub(super) url: String,
    /// From the start of the process to its first answer.
    pub(super) took: Duration,
    /// Its own, and one for what it serves beside.
    ports: [u16; 2],
    child: Child,
}

impl Kind {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Conclave(_) => "conclave",
            Self::Synapse(_) => "synapse",
        }
    }

    /// Starts the server with its data in `folder`, and waits until it answers.
    pub(super) fn start(&self, folder: &Path) -> anyhow::Result<Running> {
        self.start_at(folder, free_ports()?, &Shared::default())
    }

    /// The same for a server that shares something with others.
    pub(super) fn start_sharing(&self, folder: &Path, shared: &Shared) -> anyhow::Result<Running> {
        self.start_at(folder, free_ports()?, shared)
    }

    /// Says what is missing here to start it on PostgreSQL.
    pub(super) fn require_postgres(&self) -> anyhow::Result<()> {
        let Self::Synapse(environment) = self else {
            return Ok(());
        };
        let python = environment.join("bin/python");
        let asked = Command::new(&python)
            .args(["-c", "import psycopg2"])
            .output();
        let asked = asked.with_context(|| format!("cannot start {}", python.display()))?;
        ensure!(
            asked.status.success(),
            "Synapse cannot speak to PostgreSQL: run `{} install psycopg2-binary`",
            environment.join("bin/pip").display()
        );
        Ok(())
    }

    /// Stops a server by itself and starts it again, with the same data, on the same ports.
    pub(super) fn restart(&self, running: Running, folder: &Path) -> anyhow::Result<Running> {
        let ports = running.ports;
        running.stop()?;
        self.start_at(folder, ports, &Shared::default())
    }

    fn start_at(&self, folder: &Path, ports: [u16; 2], shared: &Shared) -> anyhow::Result<Running> {
        let [port, second_port] = ports;
        let place = folder.to_str().context("a folder without a name")?;
        let fill = |text: &str| {
            text.replace("{port}", &port.to_string())
                .replace("{second_port}", &second_port.to_string())
                .replace("{folder}", place)
        };
        let mut command = match self {
            Self::Conclave(program) => {
                let config = folder.join("conclave.toml");
                fs::write(&config, fill(CONCLAVE) + &shared.sections())?;
                let mut command = Command::new(program);
                command.args(["serve", "--config"]).arg(config);
                command.arg("--data-dir").arg(folder.join("data"));
                command
            }
            Self::Synapse(environment) => {
                let config = folder.join("homeserver.yaml");
                let database = match &shared.database {
                    Some(url) => SYNAPSE_ON_POSTGRES.replace("{database_url}", url),
                    None => fill(SYNAPSE_ON_SQLITE),
                };
                fs::write(&config, fill(SYNAPSE).replace("{database}", &database))?;
                fs::write(folder.join("log.yaml"), SYNAPSE_LOG)?;
                let python = environment.join("bin/python");
                let made = synapse(&python, &config).arg("--generate-keys").output()?;
                let complaint = String::from_utf8_lossy(&made.stderr);
                ensure!(made.status.success(), "Synapse made no key: {complaint}");
                synapse(&python, &config)
            }
        };
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Running::wait(command, ports)
    }
}

fn synapse(python: &Path, config: &Path) -> Command {
    let mut command = Command::new(python);
    command.args(["-m", "synapse.app.homeserver", "--config-path"]);
    command.arg(config);
    command
}

impl Running {
    #[expect(
        clippy::disallowed_methods,
        reason = "measures how long a real process takes"
    )]
    fn wait(mut command: Command, ports: [u16; 2]) -> anyhow::Result<Self> {
        let [port, _] = ports;
        let began = Instant::now();
        let child = command.spawn().context("cannot start a server")?;
        let mut running = Self {
            url: format!("http://127.0.0.1:{port}"),
            took: Duration::ZERO,
            ports,
            child,
        };
        while !answers(port) {
            if let Some(status) = running.child.try_wait()? {
                bail!("a server ended at its start: {status}");
            }
            ensure!(began.elapsed() < PATIENCE, "a server does not answer");
            thread::sleep(GRAIN);
        }
        running.took = began.elapsed();
        Ok(running)
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn resident_kib(&self) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next());
        Ok(kib.context("no VmRSS")?.parse()?)
    }

    /// Lets the server stop by itself, so that its files are as it leaves them.
    pub(super) fn stop(mut self) -> anyhow::Result<()> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether `/versions` is answered with 200.
fn answers(port: u16) -> bool {
    let ask = || -> std::io::Result<Vec<u8>> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(
            b"GET /_matrix/client/versions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        )?;
        let mut head = vec![0; 12];
        stream.read_exact(&mut head)?;
        Ok(head)
    };
    ask().is_ok_and(|head| head == *b"HTTP/1.1 200")
}

fn free_ports() -> anyhow::Result<[u16; 2]> {
    let taken = [
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?,
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?,
    ];
    Ok([taken[0].local_addr()?.port(), taken[1].local_addr()?.port()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_told_what_it_shares_and_nothing_else() {
        assert_eq!(Shared::default().sections(), "");
        let alone = Shared {
            database: Some("postgres://p@h/one".into()),
            ..Shared::default()
        };
        assert_eq!(
            alone.sections(),
            "[database]\nurl = \"postgres://p@h/one\"\n"
        );
        let node = Shared {
            bus: Some("nats://h".into()),
            key_file: Some("/f/master.key".into()),
            ..alone
        };
        let table: toml::Table = node.sections().parse().unwrap();
        assert_eq!(table["bus"]["url"].as_str(), Some("nats://h"));
        assert_eq!(table["seal"]["key_file"].as_str(), Some("/f/master.key"));
        assert_eq!(table.len(), 3);
    }

    #[test]
    fn an_environment_without_python_or_psycopg2_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let synapse = Kind::Synapse(folder.path().into());
        assert!(synapse.require_postgres().is_err());
        let bin = folder.path().join("bin");
        fs::create_dir(&bin).unwrap();
        std::os::unix::fs::symlink("/bin/false", bin.join("python")).unwrap();
        let refusal = synapse.require_postgres().unwrap_err().to_string();
        assert!(
            refusal.ends_with("/bin/pip install psycopg2-binary`"),
            "{refusal}"
        );
        let ours = Kind::Conclave("conclave".into());
        assert!(ours.require_postgres().is_ok());
    }
}

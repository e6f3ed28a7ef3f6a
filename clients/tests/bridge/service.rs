//! The bridge of `clients/python`, as an operator sets it up.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, Result, ensure};
use clients::{
    plain::Plain,
    python,
    server::free_port,
    waiting::{PATIENCE, eventually},
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpListener,
    process::{Child, Command},
    time::timeout,
};

/// How a bridge gets the device that encrypts for it.
#[derive(Clone, Copy)]
pub(crate) enum Device {
    /// By `m.login.application_service`.
    SignedIn,
    /// By `PUT /devices/{deviceId}` (MSC4190).
    Named,
}

/// A bridge, which runs or does not.
pub(crate) struct Service {
    folder: TempDir,
    port: u16,
    process: Option<Child>,
}

impl Service {
    /// Sets it up, and has it write its registration.
    pub(crate) async fn register(device: Device) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let port = free_port()?;
        let database = folder.path().join("bridge.db");
        // YAML, too.
        let config = json!({
            "appservice": {
                "address": format!("http://127.0.0.1:{port}"),
                "port": port,
                "database": format!("sqlite:{}", database.display()),
            },
            "bridge": { "encryption": { "msc4190": matches!(device, Device::Named) } },
        });
        fs::write(folder.path().join("config.yaml"), config.to_string())?;
        let service = Self {
            folder,
            port,
            process: None,
        };
        let mut generate = service.command()?;
        generate.arg("-g").arg("-r").arg(service.registration());
        let output = generate.output().await?;
        ensure!(
            output.status.success(),
            "the bridge does not register itself: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        // What it needs and does not write.
        let written = fs::read_to_string(service.registration())?;
        let completed = format!("{written}org.matrix.msc3202: true\n");
        fs::write(service.registration(), completed)?;
        Ok(service)
    }

    /// Its registration file.
    pub(crate) fn registration(&self) -> PathBuf {
        self.path("registration.yaml")
    }

    /// Starts it, and waits until it says that it is ready.
    pub(crate) async fn start(&mut self, server: &str) -> Result<()> {
        let output = File::options()
            .create(true)
            .append(true)
            .open(self.path("output"))?;
        let mut process = self
            .command()?
            .env("ECHO_HOMESERVER_ADDRESS", server)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .kill_on_drop(true)
            .spawn()?;
        let plain = Plain::new(&format!("http://127.0.0.1:{}", self.port));
        eventually("the bridge is ready", async || {
            if let Some(status) = process.try_wait()? {
                anyhow::bail!("the bridge ended with {status}");
            }
            Ok(plain.download("/_matrix/mau/ready").await.ok())
        })
        .await?;
        self.process = Some(process);
        Ok(())
    }

    /// Stops it, as an operator does.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        let mut process = self.process.take().context("the bridge does not run")?;
        let id = process.id().and_then(|id| i32::try_from(id).ok());
        let id = id.and_then(Pid::from_raw);
        kill_process(id.context("the bridge has ended already")?, Signal::TERM)?;
        let status = timeout(PATIENCE, process.wait())
            .await
            .context("the bridge does not stop when it is asked to")??;
        ensure!(status.success(), "the bridge stopped with {status}");
        Ok(())
    }

    /// Waits in the place of the bridge until something is sent to it, and says that it is away for
    /// so long that only its ping brings it what it misses: what comes to a bridge of mautrix just
    /// before it pings is lost, whatever the server does.
    pub(crate) async fn is_away(&self) -> Result<()> {
        let door = TcpListener::bind(("127.0.0.1", self.port)).await?;
        let (mut caller, _) = timeout(PATIENCE, door.accept())
            .await
            .context("nothing is sent to the bridge while it is away")??;
        let mut request = BufReader::new(&mut caller);
        let (mut line, mut length) = (String::new(), 0);
        while request.read_line(&mut line).await? > 2 {
            let header = line.to_ascii_lowercase();
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
            line.clear();
        }
        request.read_exact(&mut vec![0; length]).await?;
        let answer = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 600\r\n\
                      Content-Length: 0\r\nConnection: close\r\n\r\n";
        caller.write_all(answer.as_bytes()).await?;
        caller.shutdown().await?;
        Ok(())
    }

    /// Everything that it has said.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(self.path("output")).unwrap_or_default()
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::new(self.folder.path()).join(name)
    }

    fn command(&self) -> Result<Command> {
        let mut command = python::program("bridge.py")?;
        command.arg("-c").arg(self.path("config.yaml"));
        Ok(command)
    }
}

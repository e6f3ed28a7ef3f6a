//! The servers that the tests share.

use std::process::Command;

use anyhow::{Context as _, bail, ensure};
use testkit::servers::{NATS_URL_VARIABLE, Nats, POSTGRES_URL_VARIABLE, Postgres, Smtp};

use crate::{console::say, parts::Engine};

/// Started servers; they stop when this is dropped, or when this process ends in any other way.
pub(crate) struct Servers {
    postgres: Option<Postgres>,
    nats: Nats,
}

impl Servers {
    /// Whether there is a PostgreSQL among them.
    pub(crate) fn have_postgres(&self) -> bool {
        self.postgres.is_some()
    }

    /// Tells a test process where the servers are.
    pub(crate) fn announce(&self, command: &mut Command) {
        command.env(NATS_URL_VARIABLE, self.nats.url());
        if let Some(postgres) = &self.postgres {
            command.env(POSTGRES_URL_VARIABLE, postgres.url());
        }
    }
}

/// Starts what tests on `engine` need, installing it first where that is possible.
pub(crate) fn start(engine: Engine) -> anyhow::Result<Servers> {
    let nats_server = (!Nats::is_installed()).then_some("nats-server");
    let mail_server = (!Smtp::is_installed()).then_some("python3-aiosmtpd");
    let servers = missing_for(engine).into_iter().chain(nats_server);
    install(servers.chain(mail_server).collect())?;
    let postgres = (engine != Engine::Sqlite).then(Postgres::start).transpose();
    Ok(Servers {
        postgres: postgres.context("tests need a PostgreSQL server")?,
        nats: Nats::start().context("tests need a NATS server")?,
    })
}

/// Installs what a test needs that starts its own servers.
pub(crate) fn provide(engine: Engine) -> anyhow::Result<()> {
    install(missing_for(engine).into_iter().collect())
}

/// Installs what a cluster needs that is started by who asks.
pub(crate) fn provide_cluster() -> anyhow::Result<()> {
    let nats_server = (!Nats::is_installed()).then_some("nats-server");
    let missing = missing_for(Engine::Postgres);
    install(missing.into_iter().chain(nats_server).collect())
}

/// Installs what fetches the packages of the JavaScript client.
pub(crate) fn provide_npm() -> anyhow::Result<()> {
    let installed = Command::new("npm")
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success());
    install(if installed {
        Vec::new()
    } else {
        vec!["nodejs", "npm"]
    })
}

/// Installs what makes the environment of the Python client.
pub(crate) fn provide_python() -> anyhow::Result<()> {
    let installed = Command::new("python3")
        .args(["-c", "import ensurepip, venv"])
        .output()
        .is_ok_and(|output| output.status.success());
    install(if installed {
        Vec::new()
    } else {
        vec!["python3", "python3-venv"]
    })
}

fn missing_for(engine: Engine) -> Option<&'static str> {
    let missing = engine != Engine::Sqlite && !Postgres::is_installed();
    missing.then_some("postgresql")
}

fn install(packages: Vec<&str>) -> anyhow::Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    let list = packages.join(" ");
    if !rustix::process::geteuid().is_root() {
        bail!("the tests need programs that are not installed: run `sudo apt-get install {list}`");
    }
    say(format_args!("installing {list}"));
    apt_get(&["update"])?;
    let install = ["install", "--yes", "--no-install-recommends"];
    apt_get(&[&install, packages.as_slice()].concat())
}

fn apt_get(arguments: &[&str]) -> anyhow::Result<()> {
    let outcome = Command::new("apt-get")
        .arg("-qq")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .output()
        .context("cannot start apt-get")?;
    ensure!(
        outcome.status.success(),
        "`apt-get {}` failed: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&outcome.stderr).trim_end(),
    );
    Ok(())
}

//! The command line's side: a running server through its socket, or else the database itself.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, anyhow, bail};
use config::Loaded;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
};
use zeroize::Zeroizing;

use super::{
    Administration, Answer, LINE_BYTES, Order,
    place::{SOCKET, ShortDirectory},
};
use crate::{
    Surroundings,
    data_dir::{DataDir, NotLocked},
    node::Owners,
    output, registrations,
    storage::{self, Storage},
};

/// How long to wait for a server that starts, or for another command that is about to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long to wait before looking again.
const PAUSE: Duration = Duration::from_millis(50);

/// The way to carry out orders.
pub(crate) enum Administrator {
    /// A server runs on this data directory and does it; each order has a connection of its own,
    /// and the first one is made.
    Beside(PathBuf, Option<UnixStream>),
    /// No server runs, so this process does it.
    Directly(Box<Direct>),
}

/// An opened database, as long as this process has it.
pub(crate) struct Direct {
    administration: Administration,
    owners: Owners,
    _data_dir: DataDir,
}

impl Administrator {
    /// Finds the way; without a running server the database is opened. Where there is none, only
    /// an order that may begin a deployment makes it.
    pub(crate) async fn reach(
        loaded: &Loaded,
        begins: bool,
        surroundings: &Surroundings,
    ) -> anyhow::Result<Self> {
        let data_dir = &loaded.config.server.data_dir;
        if !begins && !data_dir.exists() {
            return Err(storage::no_database(loaded));
        }
        let started = surroundings.clock.uptime();
        loop {
            let process = match DataDir::lock(&loaded.config) {
                Ok(data_dir) => {
                    if !begins {
                        storage::check_exists(loaded).await?;
                    }
                    return Self::directly(data_dir, loaded, surroundings).await;
                }
                Err(NotLocked::Failed(error)) => return Err(error),
                Err(NotLocked::InUse(process)) => process,
            };
            match connect(data_dir).await {
                Ok(stream) => return Ok(Self::Beside(data_dir.clone(), Some(stream))),
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => bail!(
                    "the server's socket in {} is not open to you: run the command as the user \
                     that runs the server",
                    data_dir.display()
                ),
                Err(_) if surroundings.clock.uptime().saturating_sub(started) < PATIENCE => {
                    surroundings.clock.sleep(PAUSE).await;
                }
                Err(error) => {
                    let process = process.map_or(String::new(), |id| format!(" {id}"));
                    return Err(error).with_context(|| {
                        format!(
                            "the process{process} that uses {} does not answer at its socket: \
                             wait until it has started, or stop it",
                            data_dir.display()
                        )
                    });
                }
            }
        }
    }

    async fn directly(
        data_dir: DataDir,
        loaded: &Loaded,
        surroundings: &Surroundings,
    ) -> anyhow::Result<Self> {
        let storage = Storage::open(data_dir, loaded, surroundings).await?;
        if storage.is_new {
            output::complain(format_args!(
                "this made the data of a server called {}, whose name can never change",
                loaded.config.server.name
            ));
        }
        let appservices = registrations::read(&loaded.config)?;
        let owners = Owners::start(&loaded.config, appservices, &storage, surroundings).await?;
        let public_url = loaded.config.server.public_url.as_str();
        let public_url = public_url.trim_end_matches('/').to_owned();
        let administration =
            Administration::new(owners.clone(), &storage, surroundings, public_url);
        Ok(Self::Directly(Box::new(Direct {
            administration,
            owners,
            _data_dir: storage.data_dir,
        })))
    }

    /// Carries out one order; a refusal is an error.
    pub(crate) async fn order(&mut self, order: Order) -> anyhow::Result<Answer> {
        let answer = match self {
            Self::Beside(data_dir, first) => {
                let answer = async {
                    let mut stream = match first.take() {
                        Some(stream) => stream,
                        None => connect(data_dir).await?,
                    };
                    ask(&mut stream, &order).await
                };
                answer.await.context(
                    "the running server did not answer: look into its log, and try again",
                )?
            }
            Self::Directly(direct) => direct.administration.carry_out(order, &output::tell).await,
        };
        match answer {
            Answer::Refused { sentence } => Err(anyhow!(sentence)),
            answer => Ok(answer),
        }
    }

    /// Ends in good order: what was opened is closed.
    pub(crate) async fn finish(self) {
        if let Self::Directly(direct) = self {
            direct.owners.log.stop().await;
        }
    }
}

/// Whether a running server listens to commands; nothing is asked.
pub(crate) async fn reach(data_dir: &Path) -> io::Result<()> {
    connect(data_dir).await.map(drop)
}

async fn connect(data_dir: &Path) -> io::Result<UnixStream> {
    UnixStream::connect(ShortDirectory::of(data_dir)?.entry(SOCKET)).await
}

async fn ask(stream: &mut UnixStream, order: &Order) -> anyhow::Result<Answer> {
    let mut line = Zeroizing::new(serde_json::to_vec(order)?);
    line.push(b'\n');
    stream.write_all(&line).await?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut answer = Vec::new();
        let mut line = (&mut reader).take(LINE_BYTES);
        line.read_until(b'\n', &mut answer).await?;
        match serde_json::from_slice(&answer)? {
            Answer::Progress { sentence } => output::tell(&sentence),
            answer => return Ok(answer),
        }
    }
}

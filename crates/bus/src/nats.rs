//! The engine for several processes: a subject on NATS that belongs to one deployment.

use std::{fmt, path::PathBuf};

use async_nats::ServerAddr;
use tokio::sync::{broadcast, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use zeroize::Zeroizing;

use crate::{
    BACKLOG, Heard, NodeId, QUEUE, Signal, Subscription,
    link::Link,
    metrics::{self, Dropped},
};

/// Where NATS is, and which of its subjects is this deployment's.
#[derive(Clone, Debug)]
pub struct NatsOptions {
    /// The servers of one NATS cluster, each as `host:port`, tried in any order.
    pub servers: Vec<String>,
    /// How this node says who it is.
    pub credentials: Option<Credentials>,
    /// Whether nothing is said before the connection is encrypted.
    pub tls: bool,
    /// The certificates that vouch for NATS instead of those that the system trusts.
    pub ca_file: Option<PathBuf>,
    /// The certificate that this node shows when it is asked for one.
    pub identity: Option<Identity>,
    /// What all nodes of a deployment know and no other deployment has.
    pub deployment: [u8; 16],
}

/// Where a node's certificate and its key are, each as PEM. They are read for each connection.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate.
    pub cert_file: PathBuf,
    /// Its private key.
    pub key_file: PathBuf,
}

/// How a node says who it is.
#[derive(Clone)]
pub enum Credentials {
    /// A user with a password.
    Password {
        /// The user.
        user: String,
        /// The password.
        password: Zeroizing<String>,
    },
    /// A token alone.
    Token(Zeroizing<String>),
}

/// Shows who, and never the secret.
impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password { user, .. } => write!(formatter, "{user}:********"),
            Self::Token(_) => formatter.write_str("********"),
        }
    }
}

/// A text is not the address of a NATS server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not the address of a NATS server")]
pub struct BadServer(String);

impl NatsOptions {
    /// The subject on which the deployment's nodes meet.
    pub(crate) fn subject(&self) -> String {
        let digits = self.deployment.iter().map(|byte| format!("{byte:02x}"));
        format!("conclave.{}.signals", digits.collect::<String>())
    }

    /// The addresses, without credentials: those stand in no text that could be shown.
    pub(crate) fn addresses(&self) -> Result<Vec<ServerAddr>, BadServer> {
        let scheme = if self.tls { "tls" } else { "nats" };
        let address = |server: &String| {
            let address = format!("{scheme}://{server}").parse();
            address.map_err(|_| BadServer(server.clone()))
        };
        self.servers.iter().map(address).collect()
    }
}

/// One node's connection to NATS, which is made and kept by a task of its own.
#[derive(Debug)]
pub(crate) struct Nats {
    options: NatsOptions,
    addresses: Vec<ServerAddr>,
    outgoing: mpsc::Sender<Signal>,
    heard: broadcast::Sender<Heard>,
    leave: CancellationToken,
    task: TaskTracker,
}

impl Nats {
    pub(crate) fn start(node: NodeId, options: NatsOptions) -> Result<Self, BadServer> {
        let addresses = options.addresses()?;
        Ok(Self::connect(node, options, addresses))
    }

    /// Another node's connection to the same subject.
    pub(crate) fn beside(&self, node: NodeId) -> Self {
        Self::connect(node, self.options.clone(), self.addresses.clone())
    }

    fn connect(node: NodeId, options: NatsOptions, addresses: Vec<ServerAddr>) -> Self {
        let (outgoing, queue) = mpsc::channel(QUEUE);
        let (heard, _) = broadcast::channel(BACKLOG);
        let leave = CancellationToken::new();
        let task = TaskTracker::new();
        let link = Link {
            node,
            options: options.clone(),
            addresses: addresses.clone(),
            queue,
            heard: heard.clone(),
            leave: leave.clone(),
        };
        task.spawn(link.run());
        task.close();
        Self {
            options,
            addresses,
            outgoing,
            heard,
            leave,
            task,
        }
    }

    /// Queues a signal. What comes when the queue is full is dropped: a later one of the same
    /// kind, or time, puts things right.
    pub(crate) fn publish(&self, signal: Signal) {
        if self.outgoing.try_send(signal).is_err() {
            metrics::dropped(if self.leave.is_cancelled() {
                Dropped::Away
            } else {
                Dropped::Full
            });
        }
    }

    pub(crate) fn subscribe(&self, node: NodeId) -> Subscription {
        Subscription::new(node, self.heard.subscribe())
    }

    pub(crate) fn leave(&self) {
        self.leave.cancel();
    }

    /// Waits until the connection is closed.
    pub(crate) async fn gone(&self) {
        self.task.wait().await;
    }
}

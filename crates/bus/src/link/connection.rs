//! One connection to NATS, from its opening to its loss.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_nats::{
    Client, ConnectError, ConnectOptions, Event, ServerAddr, SubscribeError, Subscriber,
    client::PublishError,
};
use futures_util::StreamExt;
use tokio::{sync::Notify, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{Credentials, Identity, NatsOptions, NodeId, Signal, metrics, wire};

/// How long one server may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// How often a silent server is asked whether it is there; it is given up at the third question.
const ASK_EVERY: Duration = Duration::from_secs(5);

/// How many messages may wait to be read. With NATS's own limit of a message (1 MiB unless its
/// operator raised it) it bounds what a storm can take; signals have some hundred bytes.
const WAITING_MESSAGES: usize = 1_024;

/// How many signals the client holds for a server that is slow to take them.
const WAITING_SIGNALS: usize = 256;

/// A connection that stands.
pub(super) struct Connection {
    pub(super) client: Client,
    pub(super) subject: String,
    pub(super) incoming: Subscriber,
    pub(super) troubles: Troubles,
}

/// Why no connection was made.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    /// No server let this node in.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The connection was lost at once.
    #[error("the subject could not be subscribed to")]
    Subscribe(#[from] SubscribeError),
    /// The connection was lost as soon.
    #[error("nothing could be published")]
    Publish(#[from] PublishError),
    /// This node does not hear itself.
    #[error("what this node says does not come back: may it publish and subscribe?")]
    Silent,
}

/// What happens to a connection beside its messages.
#[derive(Clone, Default)]
pub(super) struct Troubles {
    lost: CancellationToken,
    missed: Arc<Notify>,
    complained: Arc<AtomicBool>,
}

/// One of the things that happen.
pub(super) enum Trouble {
    /// The connection is lost.
    Lost,
    /// Messages came faster than they were read.
    Missed,
}

impl Connection {
    /// Tries each server once, subscribes, and asks the other nodes what their users do.
    ///
    /// The question comes back to who asks: that it does proves that this node may speak and
    /// hear, and hears from now on.
    pub(super) async fn open(
        node: NodeId,
        options: &NatsOptions,
        addresses: &[ServerAddr],
    ) -> Result<Self, OpenError> {
        let troubles = Troubles::default();
        let client = connect(options, addresses, troubles.clone()).await?;
        let subject = options.subject();
        let mut incoming = client.subscribe(subject.clone()).await?;
        let question = wire::encode(node, &Signal::Ask).ok_or(OpenError::Silent)?;
        client.publish(subject.clone(), question.into()).await?;
        let answered = timeout(ANSWER_WITHIN, comes_back(node, &mut incoming)).await;
        if !answered.unwrap_or(false) {
            return Err(OpenError::Silent);
        }
        Ok(Self {
            client,
            subject,
            incoming,
            troubles,
        })
    }
}

/// Waits for this node's own question; what others say before it is part of what was missed.
async fn comes_back(node: NodeId, incoming: &mut Subscriber) -> bool {
    while let Some(message) = incoming.next().await {
        if wire::decode(&message.payload).is_ok_and(|heard| heard.from == node) {
            return true;
        }
    }
    false
}

pub(super) async fn connect(
    options: &NatsOptions,
    addresses: &[ServerAddr],
    troubles: Troubles,
) -> Result<Client, ConnectError> {
    let mut connect = ConnectOptions::new()
        .name("conclave")
        .require_tls(options.tls)
        .connection_timeout(ANSWER_WITHIN)
        .ping_interval(ASK_EVERY)
        .subscription_capacity(WAITING_MESSAGES)
        .client_capacity(WAITING_SIGNALS)
        .ignore_discovered_servers()
        // The client would try for ever, also when nobody holds it any longer: a lost
        // connection is followed by a new one of this crate's making.
        .max_reconnects(addresses.len())
        .event_callback(move |event| {
            troubles.note(&event);
            std::future::ready(())
        });
    if let Some(file) = &options.ca_file {
        connect = connect.add_root_certificates(file.clone());
    }
    if let Some(identity) = &options.identity {
        let Identity {
            cert_file,
            key_file,
        } = identity.clone();
        connect = connect.add_client_certificate(cert_file, key_file);
    }
    connect = match &options.credentials {
        Some(Credentials::Password { user, password }) => {
            connect.user_and_password(user.clone(), password.to_string())
        }
        Some(Credentials::Token(token)) => connect.token(token.to_string()),
        None => connect,
    };
    connect.connect(addresses).await
}

impl Troubles {
    fn note(&self, event: &Event) {
        match event {
            Event::Disconnected | Event::Closed => self.lost.cancel(),
            Event::SlowConsumer(_) => {
                metrics::missed();
                self.missed.notify_one();
            }
            // A right that is missing is told with every message: once is enough.
            Event::ServerError(error) if !self.complained.swap(true, Ordering::Relaxed) => {
                tracing::warn!(%error, "NATS refuses something");
            }
            _ => {}
        }
    }

    /// Waits for the next thing that happens.
    pub(super) async fn next(&self) -> Trouble {
        tokio::select! {
            () = self.lost.cancelled() => Trouble::Lost,
            () = self.missed.notified() => Trouble::Missed,
        }
    }
}

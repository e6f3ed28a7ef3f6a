//! What keeps one node connected to NATS, and carries signals while it is.

mod connection;

use std::time::Duration;

use async_nats::{Client, ConnectError, ServerAddr, Subscriber, client::PublishErrorKind};
use futures_util::StreamExt;
use tokio::{
    sync::{broadcast, mpsc},
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use self::connection::{Connection, Trouble, Troubles};
use crate::{
    Heard, NatsOptions, NodeId, Signal,
    metrics::{self, Connected, Dropped},
    wire,
};

/// How long the first pause between two attempts is; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// How many times the pause doubles: to 3.2 seconds.
const DOUBLINGS: u32 = 5;

/// How long a connection has to stand before the next attempt is a first one again.
const STANDS: Duration = Duration::from_secs(10);

/// How long what is queued may take to go when the node leaves.
const GO_WITHIN: Duration = Duration::from_secs(1);

/// Connects to one server, once, for who only tries it.
pub(crate) async fn connect_to(
    options: &NatsOptions,
    address: &ServerAddr,
) -> Result<Client, ConnectError> {
    connection::connect(options, std::slice::from_ref(address), Troubles::default()).await
}

/// A node's way to NATS.
pub(crate) struct Link {
    pub(crate) node: NodeId,
    pub(crate) options: NatsOptions,
    pub(crate) addresses: Vec<ServerAddr>,
    pub(crate) queue: mpsc::Receiver<Signal>,
    pub(crate) heard: broadcast::Sender<Heard>,
    pub(crate) leave: CancellationToken,
}

/// Why signals are no longer carried.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// The connection is lost.
    Lost,
    /// The node leaves the bus.
    Left,
}

impl Link {
    /// Connects, carries, and connects again, until the node leaves or its bus is dropped.
    pub(crate) async fn run(mut self) {
        metrics::begun();
        let mut failures = 0;
        loop {
            let leave = self.leave.clone();
            let opening = Connection::open(self.node, &self.options, &self.addresses);
            match leave.run_until_cancelled(opening).await {
                None => return,
                Some(Ok(connection)) => {
                    let began = Instant::now();
                    if self.carry(connection).await == End::Left {
                        return;
                    }
                    tracing::warn!(
                        "the connection to NATS is lost: other nodes hear of changes within half \
                         a second, and of typing and presence when it is back"
                    );
                    failures = if began.elapsed() >= STANDS {
                        0
                    } else {
                        failures + 1
                    };
                }
                Some(Err(error)) => {
                    let error: &dyn std::error::Error = &error;
                    if failures == 0 {
                        tracing::warn!(
                            error,
                            "NATS cannot be reached, and is tried again: until then other nodes \
                             hear of changes within half a second, and of typing and presence \
                             not at all"
                        );
                    } else {
                        tracing::debug!(error, "NATS still cannot be reached");
                    }
                    failures += 1;
                }
            }
            if self.pause(failures).await == End::Left {
                return;
            }
        }
    }

    /// Waits before the next attempt. What is published meanwhile is dropped: when the
    /// connection is back, nodes tell each other what is so then.
    async fn pause(&mut self, failures: u32) -> End {
        let pause = FIRST_PAUSE * 2_u32.pow(failures.saturating_sub(1).min(DOUBLINGS));
        // Nodes that lost the same server do not come back at the same moment.
        let percent = u32::try_from(u64::from(self.node) % 25).unwrap_or(0);
        let pause = pause + pause * percent / 100;
        let (leave, queue) = (&self.leave, &mut self.queue);
        let dropping = async {
            while queue.recv().await.is_some() {
                metrics::dropped(Dropped::Away);
            }
        };
        tokio::select! {
            () = leave.cancelled() => End::Left,
            dropped = timeout(pause, dropping) => match dropped {
                Ok(()) => End::Left,
                Err(_) => End::Lost,
            },
        }
    }

    async fn carry(&mut self, mut connection: Connection) -> End {
        let _connected = Connected::new();
        tracing::info!("connected to NATS");
        // From here on whoever subscribed hears what others say.
        drop(self.heard.send(Heard::Joined));
        let end = {
            let Connection {
                client,
                subject,
                incoming,
                troubles,
            } = &mut connection;
            // Both ways at once: a NATS that takes nothing must not keep this node from hearing.
            tokio::select! {
                () = self.leave.cancelled() => End::Left,
                end = give(self.node, &mut self.queue, client, subject) => end,
                end = take(self.node, incoming, &self.heard) => end,
                () = note(troubles, &self.heard) => End::Lost,
            }
        };
        if end == End::Left {
            self.queue.close();
            let last = async {
                let Connection {
                    client, subject, ..
                } = &connection;
                give(self.node, &mut self.queue, client, subject).await;
                client.flush().await
            };
            // Whether it went or not, nobody waits for it any longer.
            drop(timeout(GO_WITHIN, last).await);
        }
        end
    }
}

/// Gives NATS what is queued, and what comes.
async fn give(
    node: NodeId,
    queue: &mut mpsc::Receiver<Signal>,
    client: &Client,
    subject: &str,
) -> End {
    while let Some(signal) = queue.recv().await {
        let bytes = wire::encode(node, &signal);
        let published = match bytes {
            Some(bytes) => client.publish(subject.to_owned(), bytes.into()).await,
            None => Err(PublishErrorKind::MaxPayloadExceeded.into()),
        };
        match published.map_err(|error| error.kind()) {
            Ok(()) => metrics::published(),
            Err(PublishErrorKind::Send) => return End::Lost,
            Err(_) => {
                metrics::dropped(Dropped::TooLong);
                tracing::warn!("a signal was too long for the bus and was dropped");
            }
        }
    }
    End::Left
}

/// Passes on what other nodes say. It holds nobody up: who listens too slowly is told so.
async fn take(node: NodeId, incoming: &mut Subscriber, heard: &broadcast::Sender<Heard>) -> End {
    while let Some(message) = incoming.next().await {
        match wire::decode(&message.payload) {
            Ok(envelope) if envelope.from == node => {}
            Ok(envelope) => {
                metrics::heard();
                drop(heard.send(Heard::Signal(envelope.into())));
            }
            Err(reason) => metrics::ignored(reason),
        }
    }
    End::Lost
}

/// Tells of messages that were missed, until the connection is lost.
async fn note(troubles: &Troubles, heard: &broadcast::Sender<Heard>) {
    while let Trouble::Missed = troubles.next().await {
        drop(heard.send(Heard::Missed(1)));
    }
}

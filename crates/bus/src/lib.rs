//! Wake-ups, typing and presence between nodes, in-process.
//!
//! What travels here may be lost: it makes things fast, or matters only for a moment.
//! Whatever must not be lost is in the log, which every node reads for itself; without a bus
//! it only hears of other nodes' batches later.

mod node;
mod signal;

use std::sync::Arc;

use tokio::sync::broadcast;

pub use node::{NodeId, NotANodeId};
pub use signal::{Activity, Presence, Signal, Typing};

/// How many signals a slow subscriber may fall behind before it misses some.
const BACKLOG: usize = 4_096;

/// One node's end of the bus. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Bus {
    node: NodeId,
    engine: Engine,
}

#[derive(Clone, Debug)]
enum Engine {
    InProcess(broadcast::Sender<Arc<Envelope>>),
}

/// A signal, and the node that gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The node that gave the signal, which may be this one.
    pub from: NodeId,
    /// What it says.
    pub signal: Signal,
}

impl Bus {
    /// A bus within this process, with one node on it.
    pub fn in_process(node: NodeId) -> Self {
        let (sender, _) = broadcast::channel(BACKLOG);
        Self {
            node,
            engine: Engine::InProcess(sender),
        }
    }

    /// Another node's end of the same bus, for deployments of several nodes in one process.
    #[must_use]
    pub fn beside(&self, node: NodeId) -> Self {
        Self {
            node,
            engine: self.engine.clone(),
        }
    }

    /// The node whose end this is.
    pub fn node_id(&self) -> NodeId {
        self.node
    }

    /// Gives a signal to all nodes, this one too. It never waits and never fails: who does
    /// not listen, or listens too slowly, misses it.
    pub fn publish(&self, signal: Signal) {
        let from = self.node;
        match &self.engine {
            // An error says that nobody listens.
            Engine::InProcess(sender) => {
                drop(sender.send(Arc::new(Envelope { from, signal })));
            }
        }
    }

    /// Listens to the signals of all nodes that are given from now on.
    pub fn subscribe(&self) -> Subscription {
        match &self.engine {
            Engine::InProcess(sender) => Subscription {
                receiver: sender.subscribe(),
            },
        }
    }
}

/// A listener's place on the bus.
#[derive(Debug)]
pub struct Subscription {
    receiver: broadcast::Receiver<Arc<Envelope>>,
}

/// What a listener is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The next signal.
    Signal(Arc<Envelope>),
    /// This many signals went by unheard: look at the log, and let what is known of typing
    /// and presence run out.
    Missed(u64),
}

impl Subscription {
    /// Waits for what comes next; `None` when the bus has ended.
    ///
    /// Nothing is lost when the call is dropped before it answers.
    pub async fn next(&mut self) -> Option<Heard> {
        match self.receiver.recv().await {
            Ok(envelope) => Some(Heard::Signal(envelope)),
            Err(broadcast::error::RecvError::Lagged(count)) => Some(Heard::Missed(count)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

#[cfg(test)]
mod tests;

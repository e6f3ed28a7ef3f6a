//! Wake-ups, typing and presence between nodes: in-process, or over NATS.
//!
//! What travels here may be lost: it makes things fast, or matters only for a moment.
//! Whatever must not be lost is in the log, which every node reads for itself; without a bus
//! it only hears of other nodes' batches later.

mod examination;
mod in_process;
mod link;
mod metrics;
mod nats;
mod node;
mod signal;
mod subscription;
pub mod wire;

use std::sync::Arc;

pub use examination::{ExamineError, Examined, examine};
use in_process::InProcess;
use nats::Nats;
pub use nats::{BadServer, Credentials, Identity, NatsOptions};
pub use node::{NodeId, NotANodeId};
pub use signal::{Activity, Envelope, Presence, Signal, Typing};
pub use subscription::{Heard, Subscription};

/// How many signals a slow subscriber may fall behind before it misses some.
pub const BACKLOG: usize = 4_096;

/// How many signals may wait for NATS before further ones are dropped.
pub const QUEUE: usize = 4_096;

/// One node's end of the bus. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Bus {
    node: NodeId,
    engine: Engine,
}

#[derive(Clone, Debug)]
enum Engine {
    InProcess(InProcess),
    Nats(Arc<Nats>),
}

impl Bus {
    /// A bus within this process, with one node on it.
    pub fn in_process(node: NodeId) -> Self {
        let engine = Engine::InProcess(InProcess::new());
        Self { node, engine }
    }

    /// This node's end of the bus of a deployment whose nodes meet on NATS.
    ///
    /// It connects in the background, again and again: nothing waits for it or fails without
    /// it. Must be called where tasks can be spawned.
    pub fn nats(node: NodeId, options: NatsOptions) -> Result<Self, BadServer> {
        let engine = Engine::Nats(Arc::new(Nats::start(node, options)?));
        Ok(Self { node, engine })
    }

    /// Another node's end of the same bus, for deployments of several nodes in one process.
    #[must_use]
    pub fn beside(&self, node: NodeId) -> Self {
        let engine = match &self.engine {
            Engine::InProcess(bus) => Engine::InProcess(bus.clone()),
            Engine::Nats(bus) => Engine::Nats(Arc::new(bus.beside(node))),
        };
        Self { node, engine }
    }

    /// The node whose end this is.
    pub fn node_id(&self) -> NodeId {
        self.node
    }

    /// Gives a signal to all other nodes. It never waits and never fails: who does not listen,
    /// listens too slowly or cannot be reached, misses it.
    pub fn publish(&self, signal: Signal) {
        match &self.engine {
            Engine::InProcess(bus) => bus.publish(self.node, signal),
            Engine::Nats(bus) => bus.publish(signal),
        }
    }

    /// Listens to the signals that other nodes give from now on.
    pub fn subscribe(&self) -> Subscription {
        match &self.engine {
            Engine::InProcess(bus) => bus.subscribe(self.node),
            Engine::Nats(bus) => bus.subscribe(self.node),
        }
    }

    /// Leaves the bus without waiting: what is published later goes nowhere.
    pub fn leave(&self) {
        if let Engine::Nats(bus) = &self.engine {
            bus.leave();
        }
    }

    /// Leaves the bus once what is queued has been given to NATS, or could not be for a second.
    pub async fn close(&self) {
        if let Engine::Nats(bus) = &self.engine {
            bus.leave();
            bus.gone().await;
        }
    }
}

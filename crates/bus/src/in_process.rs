//! The engine for one process: nothing leaves it.

use std::sync::Arc;

use tokio::sync::broadcast;

use crate::{BACKLOG, Envelope, Heard, NodeId, Signal, Subscription};

/// What the nodes of one process share.
#[derive(Clone, Debug)]
pub(crate) struct InProcess {
    heard: broadcast::Sender<Heard>,
}

impl InProcess {
    pub(crate) fn new() -> Self {
        let (heard, _) = broadcast::channel(BACKLOG);
        Self { heard }
    }

    pub(crate) fn publish(&self, from: NodeId, signal: Signal) {
        // An error says that nobody listens.
        let envelope = Arc::new(Envelope { from, signal });
        drop(self.heard.send(Heard::Signal(envelope)));
    }

    pub(crate) fn subscribe(&self, node: NodeId) -> Subscription {
        Subscription::new(node, self.heard.subscribe())
    }
}

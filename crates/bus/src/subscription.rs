//! A listener's place on the bus.

use std::sync::Arc;

use tokio::sync::broadcast;

use crate::{Envelope, NodeId};

/// A listener's place on the bus.
#[derive(Debug)]
pub struct Subscription {
    node: NodeId,
    receiver: broadcast::Receiver<Heard>,
}

/// What a listener is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The next signal of another node.
    Signal(Arc<Envelope>),
    /// At least this many signals went by unheard: look at the log, and let what is known of
    /// typing and presence run out.
    Missed(u64),
    /// This node has come onto the bus, or back: what was said before was not heard by it, and
    /// what it said was heard by nobody.
    Joined,
}

impl Subscription {
    pub(crate) fn new(node: NodeId, receiver: broadcast::Receiver<Heard>) -> Self {
        Self { node, receiver }
    }

    /// Waits for what comes next; `None` when the bus has ended.
    ///
    /// Nothing is lost when the call is dropped before it answers.
    pub async fn next(&mut self) -> Option<Heard> {
        loop {
            match self.receiver.recv().await {
                Ok(Heard::Signal(envelope)) if envelope.from == self.node => {}
                Ok(heard) => return Some(heard),
                Err(broadcast::error::RecvError::Lagged(count)) => {
                    return Some(Heard::Missed(count));
                }
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}

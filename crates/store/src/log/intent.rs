//! What a caller asks of the log, and what it is answered.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    marker::PhantomData,
};

use model::time::Timestamp;

use super::{Applier, Pos};
use crate::StoreError;

/// Changes that must become true together, or not at all.
#[derive(Default)]
pub struct Intent {
    parts: Vec<Part>,
}

struct Part {
    applier: TypeId,
    change: Box<dyn Any + Send + Sync>,
    size_bytes: usize,
}

/// Names one change of an intent, to ask for its outcome.
pub struct Ticket<A> {
    part: usize,
    applier: PhantomData<fn() -> A>,
}

impl<A> Clone for Ticket<A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A> Copy for Ticket<A> {}

impl Intent {
    /// Makes an intent without changes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a change; changes are checked and take their positions in this order.
    pub fn add<A: Applier>(&mut self, change: A::Change) -> Ticket<A> {
        let size_bytes = A::size_bytes(&change);
        self.parts.push(Part {
            applier: TypeId::of::<A>(),
            change: Box::new(change),
            size_bytes,
        });
        Ticket {
            part: self.parts.len() - 1,
            applier: PhantomData,
        }
    }

    pub(crate) fn size_bytes(&self) -> usize {
        self.parts.iter().map(|part| part.size_bytes).sum()
    }

    pub(crate) fn resolve(self, kinds: &HashMap<TypeId, usize>) -> Resolved {
        let size_bytes = self.size_bytes();
        let parts = self.parts.into_iter().map(|part| {
            // Which appliers exist is decided at wiring, before anything is committed.
            let applier = *kinds
                .get(&part.applier)
                .expect("every applier is registered at wiring");
            (applier, part.change)
        });
        Resolved {
            parts: parts.collect(),
            size_bytes,
        }
    }
}

/// An intent whose parts know the place of their applier.
pub(crate) struct Resolved {
    pub(crate) parts: Vec<(usize, Box<dyn Any + Send + Sync>)>,
    pub(crate) size_bytes: usize,
}

/// What became of an intent.
pub struct Committed {
    pub(crate) last_pos: Pos,
    pub(crate) at: Timestamp,
    pub(crate) outcomes: Vec<Option<Box<dyn Any + Send>>>,
}

impl Committed {
    /// The position of the intent's last change, or the head when nothing was to be changed.
    pub fn last_pos(&self) -> Pos {
        self.last_pos
    }

    /// When the batch was committed.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// The outcome of one change, once; `None` when another change told that all of this had
    /// been done before.
    pub fn take<A: Applier>(&mut self, ticket: Ticket<A>) -> Option<A::Outcome> {
        let outcome = self.outcomes.get_mut(ticket.part)?.take()?;
        outcome.downcast().ok().map(|outcome| *outcome)
    }
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// A change was refused by its applier; the reason is that applier's `Refusal`.
    #[error("a change of kind {kind} was refused")]
    Refused {
        /// The applier's kind.
        kind: &'static str,
        /// The applier's reason.
        reason: Box<dyn Any + Send + Sync>,
    },
    /// The engine failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl CommitError {
    /// The refusal of one applier, or else the error as it is.
    pub fn refusal<A: Applier>(self) -> Result<A::Refusal, Self> {
        match self {
            Self::Refused { kind, reason } => match reason.downcast::<A::Refusal>() {
                Ok(reason) => Ok(*reason),
                Err(reason) => Err(Self::Refused { kind, reason }),
            },
            error @ Self::Store(_) => Err(error),
        }
    }

    /// This error as a store's, for callers whose changes are never refused.
    pub fn into_store(self) -> StoreError {
        match self {
            Self::Store(error) => error,
            Self::Refused { kind, .. } => {
                StoreError::Refused(format!("a change of kind {kind} was refused"))
            }
        }
    }
}

//! A lane: one kind of delivery, and what became of one.

use std::{future::Future, time::Duration};

use model::time::Timestamp;
use store::{Pos, StoreError};

/// One kind of delivery: how letters reach a target.
pub trait Lane: Send + Sync {
    /// Its name, in the tables and in metrics. A worker with several lanes names them after its
    /// lease, with a dot between: the letters of `push.mail` are carried under the lease `push`.
    const NAME: &'static str;

    /// For how long a letter is tried again before it is given up.
    const PATIENCE: Duration;

    /// How many letters of a target are handed over together, at most.
    const TOGETHER: u16;

    /// Delivers letters to one target, in their order, as far as it goes.
    ///
    /// The same letters may come again: when this node dies before it has noted the outcome. Who
    /// takes long is not waited for by other targets, but holds one of the places for all: so it
    /// bounds the time that it takes.
    ///
    /// # Errors
    ///
    /// An error of the store: nothing is said of the letters, and they are tried again.
    fn deliver(
        &self,
        target: &str,
        letters: &[Letter],
    ) -> impl Future<Output = Result<Delivered, StoreError>> + Send;
}

/// Something that waits for a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The change of the log that it tells of.
    pub pos: Pos,
    /// Since when it has waited.
    pub queued_at: Timestamp,
}

/// What became of some letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// How many of them, from the first, need not be thought of again.
    pub done: usize,
    /// And then?
    pub then: Then,
}

/// What is to happen after the letters that are done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Then {
    /// The next.
    GoOn,
    /// The first letter that is not done will never be taken: it is dead, and the next is tried.
    GiveUp {
        /// Why, for the administrator: without content or secrets.
        fault: String,
    },
    /// The target does not answer as it should: this is tried again later.
    TryAgain {
        /// Why, for the administrator: without content or secrets.
        fault: String,
        /// What the target itself said of when.
        after: Option<Duration>,
    },
    /// It is not time yet for the first letter that is not done: nothing failed, and it is asked for
    /// again then, or after an hour if that is sooner.
    Wait {
        /// How long.
        how_long: Duration,
    },
    /// There is no such target any more: all that waits for it is dropped.
    Drop,
}

impl Delivered {
    /// All letters are done.
    pub fn all(letters: &[Letter]) -> Self {
        Self {
            done: letters.len(),
            then: Then::GoOn,
        }
    }

    /// So many are done, and the next will never be taken.
    pub fn given_up(done: usize, fault: String) -> Self {
        let then = Then::GiveUp { fault };
        Self { done, then }
    }

    /// So many are done, and the next is tried again later.
    pub fn put_off(done: usize, fault: String) -> Self {
        let then = Then::TryAgain { fault, after: None };
        Self { done, then }
    }

    /// So many are done, and it is not time yet for the next.
    pub fn waits(done: usize, how_long: Duration) -> Self {
        let then = Then::Wait { how_long };
        Self { done, then }
    }

    /// There is no such target.
    pub fn dropped() -> Self {
        let (done, then) = (0, Then::Drop);
        Self { done, then }
    }
}

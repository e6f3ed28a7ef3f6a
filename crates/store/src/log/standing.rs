//! How this node stands with the log: what waits to be committed, and how far behind it may be.
//!
//! It is kept in two numbers and told to the metrics when somebody reads them, so that no request
//! pays for it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::Log;
use crate::metrics;

/// What is measured of a log.
#[derive(Default)]
pub(super) struct Standing {
    waiting: Arc<AtomicUsize>,
    /// When the reading began that last found nothing which this node had not applied, by the
    /// clock's uptime.
    confirmed_ms: AtomicU64,
}

/// An intent that waits for the committer, or for the end of its batch.
pub(crate) struct Waits(Arc<AtomicUsize>);

impl Standing {
    /// Counts an intent until this is dropped, which is when it was answered or given up.
    pub(super) fn wait(&self) -> Waits {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Waits(Arc::clone(&self.waiting))
    }

    /// Notes that a reading which began at this moment has found the head applied.
    pub(super) fn confirm(&self, began: Duration) {
        let began_ms = u64::try_from(began.as_millis()).unwrap_or(u64::MAX);
        self.confirmed_ms.store(began_ms, Ordering::Relaxed);
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Log {
    /// Tells the metrics how this node stands with the log at this moment.
    ///
    /// Nodes of one process share their metrics: who shows those of one of them calls this just
    /// before.
    pub fn measure(&self) {
        let standing = &self.shared.standing;
        let behind = match self.waiting {
            Some(_) => {
                let confirmed =
                    Duration::from_millis(standing.confirmed_ms.load(Ordering::Relaxed));
                self.shared.clock.uptime().saturating_sub(confirmed)
            }
            // Nobody else commits to a file.
            None => Duration::ZERO,
        };
        let waiting = standing.waiting.load(Ordering::Relaxed);
        metrics::standing(waiting, self.applied(), behind);
    }
}

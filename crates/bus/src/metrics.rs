//! What this crate counts, on NATS; a bus within the process has nothing to count.

use crate::wire::Ignored;

/// Why a signal of this node did not reach NATS.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Dropped {
    /// There is no connection.
    Away,
    /// Too many others were waiting.
    Full,
    /// It was too long.
    TooLong,
}

/// A node begins to connect: the gauge is there before it ever succeeds.
pub(crate) fn begun() {
    connected(0.0);
}

/// A connection stands until the value is dropped, however its work ends.
pub(crate) struct Connected(());

impl Connected {
    pub(crate) fn new() -> Self {
        connected(1.0);
        metrics::counter!("conclave_bus_connects_total").increment(1);
        Self(())
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        connected(-1.0);
    }
}

/// Nodes of one process share what they count, so this is a sum.
fn connected(more: f64) {
    metrics::gauge!("conclave_bus_connected").increment(more);
}

/// A signal was given to NATS.
pub(crate) fn published() {
    metrics::counter!("conclave_bus_published_total").increment(1);
}

/// A signal of another node was heard.
pub(crate) fn heard() {
    metrics::counter!("conclave_bus_heard_total").increment(1);
}

/// A signal of this node was dropped.
pub(crate) fn dropped(reason: Dropped) {
    let reason = match reason {
        Dropped::Away => "away",
        Dropped::Full => "full",
        Dropped::TooLong => "too_long",
    };
    metrics::counter!("conclave_bus_dropped_total", "reason" => reason).increment(1);
}

/// A message said nothing to this node.
pub(crate) fn ignored(reason: Ignored) {
    let reason = match reason {
        Ignored::TooLong => "too_long",
        Ignored::Unknown => "unknown",
        Ignored::Malformed => "malformed",
    };
    metrics::counter!("conclave_bus_ignored_total", "reason" => reason).increment(1);
}

/// NATS gave more messages than could be taken.
pub(crate) fn missed() {
    metrics::counter!("conclave_bus_missed_total").increment(1);
}

//! What this crate counts.

use std::time::Duration;

use crate::Pos;

/// A batch was committed with so many intents, in so much time.
pub(crate) fn batch_committed(intents: usize, took: Duration) {
    metrics::counter!("conclave_store_batches_total").increment(1);
    metrics::histogram!("conclave_store_batch_intents").record(intents as f64);
    metrics::histogram!("conclave_store_batch_duration_seconds").record(took.as_secs_f64());
}

/// A batch was refused by the engine and is tried again in halves.
pub(crate) fn batch_bisected() {
    metrics::counter!("conclave_store_batches_bisected_total").increment(1);
}

/// The outcome of a COMMIT was unknown and was looked up.
pub(crate) fn outcome_settled() {
    metrics::counter!("conclave_store_outcomes_settled_total").increment(1);
}

/// Where a log stands at the moment of asking.
pub(crate) fn standing(waiting: usize, applied: Pos, behind: Duration) {
    metrics::gauge!("conclave_store_queue_intents").set(waiting as f64);
    metrics::gauge!("conclave_store_log_position").set(applied.get() as f64);
    metrics::gauge!("conclave_store_log_lag_seconds").set(behind.as_secs_f64());
}

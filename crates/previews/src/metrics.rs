//! What this crate counts.

use crate::PreviewError;

/// A page was asked for.
pub(crate) fn asked(outcome: &Result<(), &PreviewError>) {
    let outcome = match outcome {
        Ok(()) => "fetched",
        Err(PreviewError::Busy { .. }) => "busy",
        Err(_) => "missed",
    };
    count(outcome);
}

/// What a page said was remembered.
pub(crate) fn remembered() {
    count("remembered");
}

/// An address led where nothing is fetched from.
pub(crate) fn refused() {
    metrics::counter!("conclave_previews_refused_total").increment(1);
}

fn count(outcome: &'static str) {
    metrics::counter!("conclave_previews_total", "outcome" => outcome).increment(1);
}

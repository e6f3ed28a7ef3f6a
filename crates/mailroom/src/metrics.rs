//! What this crate counts.

/// A mail was handed on, or not.
pub(crate) fn mail(outcome: &'static str) {
    metrics::counter!("conclave_mails_total", "outcome" => outcome).increment(1);
}

//! What this crate counts.

/// A mail about what is unread was handed on, or not.
pub(crate) fn mail(outcome: &'static str) {
    metrics::counter!("conclave_push_mails_total", "outcome" => outcome).increment(1);
}

//! What this crate counts.

/// A service was asked something, and answered or not.
pub(crate) fn asked(outcome: &'static str) {
    metrics::counter!("conclave_appservice_questions_total", "outcome" => outcome).increment(1);
}

/// A service was sent a transaction, and took it or not.
pub(crate) fn sent(outcome: &'static str) {
    metrics::counter!("conclave_appservice_transactions_total", "outcome" => outcome).increment(1);
}

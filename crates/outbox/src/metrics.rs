//! What this crate counts.

/// Some letters of a lane came to an end, or were put off.
pub(crate) fn settled(lane: &'static str, outcome: &'static str, letters: usize) {
    if letters > 0 {
        let letters = u64::try_from(letters).unwrap_or(u64::MAX);
        metrics::counter!("conclave_outbox_letters_total", "lane" => lane, "outcome" => outcome)
            .increment(letters);
    }
}

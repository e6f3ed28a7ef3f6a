//! What this crate counts, in S3; a folder has nothing to count.

/// How a request to S3 ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outcome {
    /// It was done.
    Answered,
    /// It was refused, as what is not there is.
    Refused,
    /// S3 failed: 5xx, or too many requests.
    Failed,
    /// There was no answer.
    Unreachable,
}

/// A request to S3 ended; one that is made again is another one.
pub(crate) fn asked(outcome: Outcome) {
    let outcome = match outcome {
        Outcome::Answered => "answered",
        Outcome::Refused => "refused",
        Outcome::Failed => "failed",
        Outcome::Unreachable => "unreachable",
    };
    metrics::counter!("conclave_files_s3_requests_total", "outcome" => outcome).increment(1);
}

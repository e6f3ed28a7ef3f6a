//! The metrics of this face.

use std::time::Duration;

use http::StatusCode;

/// Counts one answered request and how long its answer took to begin.
///
/// `endpoint` comes from the list of routes, so the label has as many values as that list.
pub(crate) fn request_answered(endpoint: Option<&str>, status: StatusCode, took: Duration) {
    let endpoint = endpoint.unwrap_or("unrecognized").to_owned();
    metrics::counter!(
        "conclave_client_requests_total",
        "endpoint" => endpoint.clone(),
        "status" => status.as_u16().to_string(),
    )
    .increment(1);
    metrics::histogram!("conclave_client_request_seconds", "endpoint" => endpoint)
        .record(took.as_secs_f64());
}

/// Counts one request that a rate limit refused.
pub(crate) fn request_limited(class: &'static str) {
    metrics::counter!("conclave_client_limited_total", "class" => class).increment(1);
}

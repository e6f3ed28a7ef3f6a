//! `/metrics`: what this process counts, in the form that Prometheus reads.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::{
    Router, extract::State, http::header::CONTENT_TYPE, response::IntoResponse, routing::get,
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use model::time::Clock;
use store::Log;

/// How often what was recorded is moved to where it takes little room.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// From half a millisecond, a commit without a disk, to a long request.
const SECONDS: [f64; 13] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];

const INTENTS: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// Begins to count. Nodes of one process share what they count, as the `metrics` crate has it.
///
/// `None` when somebody else in this process counts already, in a way that cannot be read here.
pub(crate) fn start() -> Option<PrometheusHandle> {
    static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let suffixed = |suffix: &str| Matcher::Suffix(suffix.to_owned());
            let recorder = PrometheusBuilder::new()
                .set_buckets_for_metric(suffixed("_seconds"), &SECONDS)
                .and_then(|builder| builder.set_buckets_for_metric(suffixed("_intents"), &INTENTS))
                .expect("the lists of buckets are not empty")
                .build_recorder();
            let handle = recorder.handle();
            metrics::set_global_recorder(recorder).ok().map(|()| handle)
        })
        .clone()
}

/// The page, which also tells how a node stands with its log when it is read.
pub(crate) fn routes(handle: PrometheusHandle, log: Log) -> Router {
    Router::new()
        .route("/metrics", get(page))
        .with_state((handle, log))
}

async fn page(State((handle, log)): State<(PrometheusHandle, Log)>) -> impl IntoResponse {
    log.measure();
    let form = "text/plain; version=0.0.4; charset=utf-8";
    ([(CONTENT_TYPE, form)], handle.render())
}

/// Tells what is so all the time, and tidies up, for as long as it is polled.
pub(crate) async fn keep_up(handle: PrometheusHandle, clock: Arc<dyn Clock>) {
    metrics::gauge!("conclave_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    loop {
        metrics::gauge!("conclave_node_uptime_seconds").set(clock.uptime().as_secs_f64());
        handle.run_upkeep();
        clock.sleep(UPKEEP_EVERY).await;
    }
}

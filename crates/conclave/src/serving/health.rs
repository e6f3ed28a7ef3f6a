//! `/_conclave/health/live` and `/_conclave/health/ready`: what load balancers ask.

use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use serde_json::{Value, json};
use store::Log;
use tokio_util::sync::CancellationToken;

#[derive(Clone)]
struct Health {
    log: Log,
    stop: CancellationToken,
}

/// The two endpoints of health.
pub(crate) fn health_routes(log: Log, stop: CancellationToken) -> Router {
    Router::new()
        .route("/_conclave/health/live", get(live))
        .route("/_conclave/health/ready", get(ready))
        .with_state(Health { log, stop })
}

/// Says that the process answers at all; a node that does not is to be restarted.
async fn live() -> Json<Value> {
    Json(json!({ "status": "live" }))
}

/// Says whether requests should come here: the node is not stopping, and it has confirmed the
/// head of the log.
async fn ready(State(health): State<Health>) -> (StatusCode, Json<Value>) {
    let unavailable = |why: &str| {
        let body = json!({ "status": "unavailable", "reason": why });
        (StatusCode::SERVICE_UNAVAILABLE, Json(body))
    };
    if health.stop.is_cancelled() {
        return unavailable("this node is stopping");
    }
    match health.log.barrier().await {
        Ok(_) => (StatusCode::OK, Json(json!({ "status": "ready" }))),
        Err(error) => {
            tracing::warn!(%error, "this node is not ready");
            unavailable("the database does not answer")
        }
    }
}

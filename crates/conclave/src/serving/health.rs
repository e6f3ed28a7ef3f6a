//! `/_conclave/health/live` and `/_conclave/health/ready`: what load balancers ask.

use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use serde_json::{Value, json};
use store::Log;
use tokio_util::sync::CancellationToken;

#[derive(Clone)]
struct Health {
    log: Log,
    leave: CancellationToken,
}

/// The two endpoints of health.
pub(crate) fn health_routes(log: Log, leave: CancellationToken) -> Router {
    Router::new()
        .route("/_conclave/health/live", get(live))
        .route("/_conclave/health/ready", get(ready))
        .with_state(Health { log, leave })
}

/// Says that the process answers at all, and can still write; a node that does not is to be
/// restarted.
async fn live(State(health): State<Health>) -> (StatusCode, Json<Value>) {
    if !health.leave.is_cancelled() && !health.log.commits() {
        return unavailable("this node has stopped writing");
    }
    (StatusCode::OK, Json(json!({ "status": "live" })))
}

/// Says whether requests should come here: the node is not stopping, can write, and has confirmed
/// the head of the log.
async fn ready(State(health): State<Health>) -> (StatusCode, Json<Value>) {
    if health.leave.is_cancelled() {
        return unavailable("this node is stopping");
    }
    if !health.log.commits() {
        return unavailable("this node has stopped writing");
    }
    match health.log.barrier().await {
        Ok(_) => (StatusCode::OK, Json(json!({ "status": "ready" }))),
        Err(error) => {
            tracing::warn!(%error, "this node is not ready");
            unavailable("the database does not answer")
        }
    }
}

fn unavailable(why: &str) -> (StatusCode, Json<Value>) {
    let body = json!({ "status": "unavailable", "reason": why });
    (StatusCode::SERVICE_UNAVAILABLE, Json(body))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::{body::Body, http::Request};
    use store::{Database, DatabaseOptions, Location, LogBuilder};
    use testkit::clock::FakeClock;
    use tower::ServiceExt;

    use super::*;

    async fn status(router: &Router, path: &str) -> u16 {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = router.clone().oneshot(request).await.unwrap();
        answer.status().as_u16()
    }

    #[tokio::test]
    async fn a_node_whose_committer_is_gone_is_neither_ready_nor_live() {
        let folder = tempfile::tempdir().unwrap();
        let options = DatabaseOptions {
            location: Location::Sqlite(folder.path().join("test.db")),
            server_name: "localhost".to_owned(),
            migrations: Vec::new(),
            readers: 1,
        };
        let database = Database::open(options).await.unwrap();
        let log = LogBuilder::new(database, Arc::new(FakeClock::default()));
        let log = log.start().await.unwrap();
        let router = health_routes(log.clone(), CancellationToken::new());
        let (live, ready) = ("/_conclave/health/live", "/_conclave/health/ready");
        assert_eq!(
            (status(&router, live).await, status(&router, ready).await),
            (200, 200)
        );
        log.stop().await;
        assert_eq!(
            (status(&router, live).await, status(&router, ready).await),
            (503, 503)
        );
    }
}

//! Long polls end at once when the node stops.

use axum::{
    extract::{Request, State},
    http::{Method, Uri},
    middleware::Next,
    response::Response,
};
use tokio_util::sync::CancellationToken;

/// Answers a request that may wait for news; when the node stops it is asked again without
/// waiting, so that the client gets an answer, and a token, to take to another node.
///
/// Such a request is a `GET` with a `timeout`: dropping one in the middle changes nothing.
pub(crate) async fn end_long_polls(
    State(stop): State<CancellationToken>,
    request: Request,
    next: Next,
) -> Response {
    let Some(at_once) = without_waiting(&request) else {
        return next.run(request).await;
    };
    tokio::select! {
        response = next.clone().run(request) => response,
        () = stop.cancelled() => next.run(at_once).await,
    }
}

/// The same request with a `timeout` of zero, if it has one and is a `GET`.
fn without_waiting(request: &Request) -> Option<Request> {
    if request.method() != Method::GET {
        return None;
    }
    let mut waits = false;
    let parameters: Vec<&str> = request
        .uri()
        .query()?
        .split('&')
        .map(|parameter| match parameter.split_once('=') {
            Some(("timeout", _)) => {
                waits = true;
                "timeout=0"
            }
            _ => parameter,
        })
        .collect();
    if !waits {
        return None;
    }
    let uri = format!("{}?{}", request.uri().path(), parameters.join("&"));
    let mut again = Request::new(axum::body::Body::empty());
    *again.method_mut() = Method::GET;
    *again.uri_mut() = uri.parse::<Uri>().ok()?;
    *again.version_mut() = request.version();
    again.headers_mut().clone_from(request.headers());
    again.extensions_mut().clone_from(request.extensions());
    Some(again)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::{Router, body::Body, extract::RawQuery, middleware, routing::get};
    use tower::ServiceExt;

    use super::*;

    fn request(method: Method, uri: &str) -> Request {
        let request = Request::builder().method(method).uri(uri);
        request.body(Body::empty()).unwrap()
    }

    #[test]
    fn only_a_get_with_a_timeout_is_asked_again() {
        let again = |method, uri| without_waiting(&request(method, uri));
        assert!(again(Method::GET, "/sync").is_none());
        assert!(again(Method::GET, "/sync?since=timeout").is_none());
        assert!(again(Method::POST, "/sync?timeout=5").is_none());
        let again = again(Method::GET, "/sync?since=a%26b&timeout=30000&x").unwrap();
        assert_eq!(again.uri(), "/sync?since=a%26b&timeout=0&x");
    }

    #[tokio::test]
    async fn a_waiting_request_is_answered_when_the_node_stops() {
        let wait = async |RawQuery(query): RawQuery| {
            if query.as_deref() != Some("timeout=0") {
                std::future::pending::<()>().await;
            }
            "nothing new"
        };
        let stop = CancellationToken::new();
        let layer = middleware::from_fn_with_state(stop.clone(), end_long_polls);
        let router = Router::new().route("/sync", get(wait)).layer(layer);
        let mut asked = tokio::spawn(router.oneshot(request(Method::GET, "/sync?timeout=9")));
        let early = tokio::time::timeout(Duration::from_millis(20), &mut asked).await;
        assert!(early.is_err(), "it waits");
        stop.cancel();
        assert!(asked.await.unwrap().unwrap().status().is_success());
    }
}

//! Long polls end at once when the node stops.

use axum::{
    extract::{OriginalUri, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, Uri},
    middleware::Next,
    response::Response,
};
use tokio_util::sync::CancellationToken;

/// Answers a request that may wait for news; when the node stops it is asked again without
/// waiting, so that the client gets an answer, and a token, to take to another node.
///
/// Such a request is a `GET` with a `timeout`, or one for a file, which may be on its way still:
/// dropping one in the middle changes nothing.
///
/// Not an `async fn`, whose future would keep room for the request while it waits.
pub(crate) fn end_long_polls(
    State(stop): State<CancellationToken>,
    request: Request,
    next: Next,
) -> impl Future<Output = Response> + Send {
    let again = without_waiting(&request).map(|at_once| (next.clone(), Box::new(at_once)));
    let answering = next.run(request);
    async move {
        let Some((next, at_once)) = again else {
            return answering.await;
        };
        tokio::select! {
            response = answering => response,
            () = stop.cancelled() => Box::pin(next.run(*at_once)).await,
        }
    }
}

/// The same request with a timeout of zero, if it may wait and is a `GET`.
fn without_waiting(request: &Request) -> Option<Request> {
    if request.method() != Method::GET {
        return None;
    }
    let is_file = is_file(request.uri().path());
    let query = request.uri().query().unwrap_or_default();
    let name = |parameter: &str| parameter.split('=').next().unwrap_or_default().to_owned();
    let is_timeout = |parameter: &str| match is_file {
        true => name(parameter) == "timeout_ms",
        false => name(parameter) == "timeout",
    };
    // Files are waited for by default.
    if !is_file && !query.split('&').any(is_timeout) {
        return None;
    }
    let others = query.split('&').filter(|parameter| !parameter.is_empty());
    let mut parameters: Vec<&str> = others.filter(|parameter| !is_timeout(parameter)).collect();
    parameters.push(if is_file { "timeout_ms=0" } else { "timeout=0" });
    let uri = format!("{}?{}", request.uri().path(), parameters.join("&"));
    let uri = uri.parse::<Uri>().ok()?;
    let mut again = Request::new(axum::body::Body::empty());
    *again.method_mut() = Method::GET;
    *again.version_mut() = request.version();
    *again.headers_mut() = copied(request.headers())?;
    again.extensions_mut().clone_from(request.extensions());
    if request.extensions().get::<OriginalUri>().is_some() {
        again.extensions_mut().insert(OriginalUri(uri.clone()));
    }
    *again.uri_mut() = uri;
    Some(again)
}

/// The headers in memory of their own: what was parsed shares the buffer that the connection
/// read into, and would keep it for as long as a client waits.
fn copied(headers: &HeaderMap) -> Option<HeaderMap> {
    let mut copy = HeaderMap::with_capacity(headers.keys_len());
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_ref()).ok()?;
        let mut own = HeaderValue::from_bytes(value.as_bytes()).ok()?;
        own.set_sensitive(value.is_sensitive());
        copy.append(name, own);
    }
    Some(copy)
}

/// Whether a path gives out files or thumbnails.
fn is_file(path: &str) -> bool {
    let ways = ["/media/", "/download/", "/thumbnail/"];
    let [media, download, thumbnail] = ways.map(|way| path.contains(way));
    path.starts_with("/_matrix/") && media && (download || thumbnail)
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
    fn a_file_that_may_be_on_its_way_is_asked_for_again() {
        let again = |uri: &str| without_waiting(&request(Method::GET, uri));
        let download = "/_matrix/client/v1/media/download/localhost/abc";
        let at_once = again(download).unwrap();
        assert_eq!(at_once.uri(), format!("{download}?timeout_ms=0").as_str());
        let old = "/_matrix/media/v3/thumbnail/localhost/abc";
        let at_once = again(&format!("{old}?width=5&timeout_ms=9000&height=5")).unwrap();
        let expected = format!("{old}?width=5&height=5&timeout_ms=0");
        assert_eq!(at_once.uri(), expected.as_str());
        assert!(again("/_matrix/client/v1/media/config").is_none());
    }

    #[test]
    fn only_a_get_with_a_timeout_is_asked_again() {
        let again = |method, uri| without_waiting(&request(method, uri));
        assert!(again(Method::GET, "/sync").is_none());
        assert!(again(Method::GET, "/sync?since=timeout").is_none());
        assert!(again(Method::POST, "/sync?timeout=5").is_none());
        let again = again(Method::GET, "/sync?since=a%26b&timeout=30000&x").unwrap();
        assert_eq!(again.uri(), "/sync?since=a%26b&x&timeout=0");
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

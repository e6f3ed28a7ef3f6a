//! What surrounds every request: its id, its span, its end in the log when it fails.

use std::{
    any::Any, error::Error, future::ready, net::SocketAddr, panic::AssertUnwindSafe, sync::Arc,
};

use axum::{
    Json,
    extract::{ConnectInfo, MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::{FutureExt, future::Either};
use http::{HeaderName, HeaderValue, StatusCode};
use model::entropy::random_text;
use ruma::api::error::{ErrorKind, StandardErrorBody};
use tracing::Instrument;

use crate::{
    ClientApi,
    cors::{allow_any_origin, preflight},
    endpoint::EndpointInfo,
    metrics,
};

/// The response header that carries the request id.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const REQUEST_ID_CHARS: usize = 16;

/// Why a request failed inside; travels from where it is answered to where it is logged.
#[derive(Clone)]
pub(crate) struct Failure(Arc<dyn Error + Send + Sync>);

impl From<Box<dyn Error + Send + Sync>> for Failure {
    fn from(error: Box<dyn Error + Send + Sync>) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Gives the request its id, address and span, and the answer what web clients need; turns failures
/// and panics into one log line each.
///
/// Not an `async fn`, whose future would keep room for the request while the answer is made.
pub(crate) fn observe(
    State(api): State<ClientApi>,
    mut request: Request,
    next: Next,
) -> impl Future<Output = Response> + Send {
    if let Some(response) = preflight(&request) {
        return Either::Left(ready(response));
    }
    let id = random_text(api.entropy(), REQUEST_ID_CHARS);
    let started = api.clock().uptime();
    let peer = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map(|info| info.0.ip());
    let address = api
        .settings()
        .trusted_proxies
        .client_address(peer, request.headers());
    request.extensions_mut().insert(address);

    // The route alone: paths carry names of files, aliases and tags, queries even tokens. What is
    // not one of ours has none.
    let route = request.extensions().get::<MatchedPath>();
    let span = tracing::info_span!(
        "client.request",
        request.id = %id,
        http.method = %request.method(),
        http.route = route.map(MatchedPath::as_str),
    );
    let answering = AssertUnwindSafe(next.run(request)).catch_unwind();
    let observed = async move {
        let mut response = match answering.await {
            Ok(response) => answer_failure(response, &id),
            Err(panic) => {
                tracing::error!(panic = panic_message(&*panic), "a handler panicked");
                internal_error(&id)
            }
        };
        let took = api.clock().uptime().saturating_sub(started);
        let endpoint = response.extensions().get::<Arc<EndpointInfo>>();
        metrics::request_answered(
            endpoint.map(|info| info.name.as_str()),
            response.status(),
            took,
        );
        if let Ok(value) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        allow_any_origin(response)
    };
    Either::Right(observed.instrument(span))
}

fn answer_failure(mut response: Response, id: &str) -> Response {
    let Some(failure) = response.extensions_mut().remove::<Failure>() else {
        return response;
    };
    tracing::error!(error = chain(&*failure.0), "a request failed");
    let mut answer = internal_error(id);
    *answer.extensions_mut() = std::mem::take(response.extensions_mut());
    answer
}

fn internal_error(id: &str) -> Response {
    let sentence = format!("internal server error; the server's log has it under request id {id}");
    let body = StandardErrorBody::new(ErrorKind::Unknown, sentence);
    (StatusCode::INTERNAL_SERVER_ERROR, Json(body)).into_response()
}

/// The error and all its sources, outermost first, joined by colons.
fn chain(error: &(dyn Error + 'static)) -> String {
    std::iter::successors(Some(error), |&error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a message")
}

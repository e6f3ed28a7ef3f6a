//! Lets web clients of any origin call this face, as the specification asks ([spec]).
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#web-browser-clients

use axum::{
    extract::Request,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};

const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    ),
    (
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, HEAD, POST, PUT, DELETE, OPTIONS"),
    ),
    (
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static(
            "X-Requested-With, Content-Type, Authorization, Range, If-Range, If-None-Match",
        ),
    ),
    (
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static(
            "Retry-After, X-Request-Id, Accept-Ranges, Content-Disposition, Content-Length, \
             Content-Range, ETag",
        ),
    ),
    // A day: browsers ask again for each path, and the answer never changes.
    (
        header::ACCESS_CONTROL_MAX_AGE,
        HeaderValue::from_static("86400"),
    ),
];

/// The answer to every `OPTIONS` request, if this is one.
pub(crate) fn preflight(request: &Request) -> Option<Response> {
    let is_preflight = request.method() == Method::OPTIONS;
    is_preflight.then(|| allow_any_origin(StatusCode::NO_CONTENT.into_response()))
}

/// Adds the headers to an answer.
pub(crate) fn allow_any_origin(mut response: Response) -> Response {
    response.headers_mut().extend(HEADERS);
    response
}

//! Holds every request and its answer against the specification's definitions, where they are.

use std::sync::LazyLock;

use axum::body::Body;
use bytes::Bytes;
use http::{Request, header::CONTENT_TYPE, response::Parts};
use http_body::Body as _;
use http_body_util::BodyExt;
use serde_json::Value;
use specification::{Exchange, Specification};

/// The data, where there is any.
pub(crate) static SPECIFICATION: LazyLock<Option<Specification>> =
    LazyLock::new(|| Specification::from_environment().unwrap());

/// A request that is about to be answered.
pub(crate) struct Asked {
    method: String,
    target: String,
    body: Option<Value>,
}

/// Notes what is asked.
pub(crate) async fn note(request: Request<Body>) -> (Request<Body>, Asked) {
    let mut asked = Asked {
        method: request.method().to_string(),
        target: request.uri().to_string(),
        body: None,
    };
    // A body that is streamed is a test's way to say when its parts arrive.
    if SPECIFICATION.is_none() || request.body().size_hint().exact().is_none() {
        return (request, asked);
    }
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    asked.body = serde_json::from_slice(&body).ok();
    (Request::from_parts(parts, Body::from(body)), asked)
}

impl Asked {
    /// Fails with what is not as the specification says.
    pub(crate) fn judge(&self, parts: &Parts, body: &Bytes) {
        let Some(specification) = &*SPECIFICATION else {
            return;
        };
        // The earlier form of MSC4140: the specification's paths with another answer.
        if self.target.contains("org.matrix.msc4140.delay=") && parts.status.is_success() {
            return;
        }
        let kind = parts.headers.get(CONTENT_TYPE);
        let is_json = kind.is_some_and(|kind| kind == "application/json");
        let answer: Option<Value> = is_json.then(|| serde_json::from_slice(body).unwrap());
        let found = specification.judge(&Exchange {
            method: &self.method,
            target: &self.target,
            body: self.body.as_ref(),
            status: parts.status.as_u16(),
            answer: answer.as_ref(),
        });
        assert!(found.is_empty(), "not as specified:\n{}", found.join("\n"));
    }
}

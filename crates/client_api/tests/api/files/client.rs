//! A client that uploads and downloads.

use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use serde_json::Value;

use crate::server::{Node, User};

pub(super) const UPLOAD: &str = "/_matrix/media/v3/upload";
pub(super) const DOWNLOAD: &str = "/_matrix/client/v1/media/download";

/// What came back, whatever it is.
#[derive(Debug)]
pub(super) struct Got {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) bytes: Vec<u8>,
}

impl Got {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| {
            value.to_str().expect("the headers of files are ASCII")
        })
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or(Value::Null)
    }

    /// The status and the errcode of a refusal.
    pub(super) fn refusal(&self) -> (u16, String) {
        let errcode = self.json()["errcode"].as_str().unwrap_or("").to_owned();
        (self.status.as_u16(), errcode)
    }
}

pub(super) async fn send(
    node: &Node,
    who: &User,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> Got {
    let mut request = Request::builder().method(method).uri(path);
    if !who.token.is_empty() {
        request = request.header("Authorization", format!("Bearer {}", who.token));
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (parts, bytes) = node.answer(request.body(body.into()).unwrap()).await;
    Got {
        status: parts.status,
        headers: parts.headers,
        bytes: bytes.to_vec(),
    }
}

pub(super) async fn get(node: &Node, who: &User, path: &str, headers: &[(&str, &str)]) -> Got {
    send(node, who, "GET", path, headers, "").await
}

/// Uploads, and gives the place of it: `/localhost/` and its id.
pub(super) async fn upload(node: &Node, who: &User, kind: &str, content: &[u8]) -> String {
    let headers = [("Content-Type", kind)];
    let got = send(node, who, "POST", UPLOAD, &headers, content.to_vec()).await;
    assert_eq!(got.status, 200, "{got:?}");
    place(&got)
}

/// The place that an answer gives.
pub(super) fn place(got: &Got) -> String {
    let json = got.json();
    let address = json["content_uri"].as_str().unwrap();
    address.strip_prefix("mxc:/").unwrap().to_owned()
}

pub(super) fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 31 % 251) as u8).collect()
}

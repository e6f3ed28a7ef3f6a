//! An answer whose head is here and whose body may still be on its way.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, header, response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio_util::task::AbortOnDropHandle;
use url::Url;

use crate::{FetchError, deadline::Deadline, exchange::Begun};

/// An answer; dropping it ends the connection.
pub struct Answer {
    /// Where it came from, after all redirects.
    pub url: Url,
    /// Its status, which is no redirect that can be followed.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    body: Incoming,
    deadline: Deadline,
    _reading: AbortOnDropHandle<()>,
}

/// As much of a body as was wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// Its bytes.
    pub bytes: Bytes,
    /// Whether that is all of it.
    pub is_whole: bool,
}

impl Answer {
    pub(crate) fn new(url: Url, begun: Begun, deadline: Deadline) -> Result<Self, FetchError> {
        let (
            response::Parts {
                status, headers, ..
            },
            body,
        ) = begun.response.into_parts();
        let mut encodings = headers.get_all(header::CONTENT_ENCODING).iter();
        if encodings.any(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
            return Err(FetchError::Compressed);
        }
        Ok(Self {
            url,
            status,
            headers,
            body,
            deadline,
            _reading: begun.reading,
        })
    }

    /// What it is, without parameters and in small letters; empty when it does not say.
    pub fn essence(&self) -> String {
        let named = self.headers.get(header::CONTENT_TYPE);
        let named = named.and_then(|value| value.to_str().ok()).unwrap_or("");
        let essence = named.split(';').next().unwrap_or("");
        essence.trim().to_ascii_lowercase()
    }

    /// Reads the body up to a number of bytes; what comes after them is not read.
    pub async fn read(self, max_bytes: usize) -> Result<Body, FetchError> {
        let Self {
            body,
            mut deadline,
            _reading,
            ..
        } = self;
        deadline.race(read(body, max_bytes)).await
    }
}

async fn read(mut body: Incoming, max_bytes: usize) -> Result<Body, FetchError> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(FetchError::Unreadable)?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let room = max_bytes - bytes.len();
        bytes.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() > room {
            return Ok(Body {
                bytes: bytes.freeze(),
                is_whole: false,
            });
        }
    }
    Ok(Body {
        bytes: bytes.freeze(),
        is_whole: true,
    })
}

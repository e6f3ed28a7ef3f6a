//! One request and the head of its answer.

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, header};
use http_body_util::Full;
use hyper::{body::Incoming, client::conn::http1};
use tokio_util::task::AbortOnDropHandle;
use url::{Position, Url};

use crate::{FetchError, connection::Connection};

/// The largest head of an answer.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// What answers, and the task that reads the rest of it.
pub(crate) struct Begun {
    pub(crate) response: Response<Incoming>,
    pub(crate) reading: AbortOnDropHandle<()>,
}

/// What one request says beside its address.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// How it is asked.
    pub(crate) method: &'a Method,
    /// The types of content that are wanted.
    pub(crate) accept: &'static str,
    /// What proves who asks.
    pub(crate) bearer: Option<&'a str>,
    /// What is sent, as JSON.
    pub(crate) json: Option<&'a Bytes>,
}

/// Asks once. The connection is for this request alone.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the client that everything else has to use"
)]
pub(crate) async fn exchange(
    connection: Connection,
    url: &Url,
    asked: Asked<'_>,
    user_agent: &str,
) -> Result<Begun, FetchError> {
    let request = request(url, asked, user_agent)?;
    let mut builder = http1::Builder::new();
    builder.max_buf_size(MAX_HEAD_BYTES);
    let shaken = builder.handshake::<_, Full<Bytes>>(connection).await;
    let (mut sender, connection) = shaken.map_err(FetchError::Unreadable)?;
    // What becomes of it is told to who reads the answer.
    let reading = AbortOnDropHandle::new(tokio::spawn(async move {
        let _told_elsewhere = connection.await;
    }));
    let response = sender.send_request(request).await;
    Ok(Begun {
        response: response.map_err(FetchError::Unreadable)?,
        reading,
    })
}

fn request(
    url: &Url,
    asked: Asked<'_>,
    user_agent: &str,
) -> Result<Request<Full<Bytes>>, FetchError> {
    let host = &url[Position::BeforeHost..Position::AfterPort];
    let path = &url[Position::BeforePath..Position::AfterQuery];
    let mut request = Request::builder().method(asked.method).uri(path);
    if asked.json.is_some() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    if let Some(bearer) = asked.bearer {
        let proof = HeaderValue::try_from(format!("Bearer {bearer}"));
        let mut proof = proof.map_err(|error| FetchError::Unaskable(error.into()))?;
        // Nothing that shows headers shows it.
        proof.set_sensitive(true);
        request = request.header(header::AUTHORIZATION, proof);
    }
    request
        .header(header::HOST, host)
        .header(header::USER_AGENT, user_agent)
        .header(header::ACCEPT, asked.accept)
        // A small answer cannot become a large one.
        .header(header::ACCEPT_ENCODING, "identity")
        .header(header::CONNECTION, "close")
        .body(Full::new(asked.json.cloned().unwrap_or_default()))
        .map_err(FetchError::Unaskable)
}

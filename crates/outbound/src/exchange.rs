//! One request and the head of its answer.

use bytes::Bytes;
use http::{Request, Response, header};
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
    /// The types of content that are wanted.
    pub(crate) accept: &'static str,
    /// What is sent, as JSON; nothing is asked for with GET.
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
    let request = match asked.json {
        None => Request::get(path),
        Some(_) => Request::post(path).header(header::CONTENT_TYPE, "application/json"),
    };
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

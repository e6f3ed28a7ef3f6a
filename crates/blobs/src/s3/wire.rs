//! How requests travel to S3: hyper, with connections that are kept, TLS by rustls, and bounds on
//! every waiting. Nothing is read from the environment, no proxy is used, no redirect followed.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header::IF_NONE_MATCH};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use model::time::{Clock, Sleep};
use object_store::{
    ClientOptions,
    client::{
        HttpClient, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse,
        HttpResponseBody, HttpService,
    },
};
use parking_lot::Mutex;
use rustls::RootCertStore;

use crate::metrics::{self, Outcome};

/// How long a connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// How long it may take until the head of an answer is there, the request's body included.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// How long an answer may pause.
const PAUSE_WITHIN: Duration = Duration::from_secs(30);

/// How much is read of an answer that is no success: its first lines say what is wrong.
const LONGEST_REFUSAL_BYTES: usize = 64 * 1024;

/// How long a connection is kept that nobody uses.
const KEPT_FOR: Duration = Duration::from_secs(20);

#[derive(Clone)]
pub(super) struct Wire {
    client: Client<HttpsConnector<HttpConnector>, HttpRequestBody>,
    clock: Arc<dyn Clock>,
    is_conditional: bool,
}

/// Something took longer than it may.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {} seconds", .0.as_secs())]
struct Late(Duration);

impl Wire {
    pub(super) fn new(roots: RootCertStore, is_conditional: bool, clock: Arc<dyn Clock>) -> Self {
        let mut plain = HttpConnector::new();
        plain.enforce_http(false);
        plain.set_nodelay(true);
        plain.set_keepalive(Some(KEPT_FOR));
        plain.set_connect_timeout(Some(CONNECT_WITHIN));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(trust::client(roots))
            .https_or_http()
            .enable_http1()
            .wrap_connector(plain);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(KEPT_FOR)
            .build(connector);
        Self {
            client,
            clock,
            is_conditional,
        }
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Wire")
    }
}

impl object_store::client::HttpConnector for Wire {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Wire {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if self.is_conditional && finishes_upload(&request) {
            // The library asks for this only when it puts an object at once.
            let any = HeaderValue::from_static("*");
            request.headers_mut().insert(IF_NONE_MATCH, any);
        }
        let answered = self.exchange(request).await;
        metrics::asked(match &answered {
            Ok(answer) => outcome(answer.status()),
            Err(_) => Outcome::Unreachable,
        });
        let answer = answered?;
        let clock = Arc::clone(&self.clock);
        let left = (!answer.status().is_success()).then_some(LONGEST_REFUSAL_BYTES);
        Ok(answer.map(|body| {
            HttpResponseBody::new(Bounded {
                body,
                clock,
                pause: None,
                left,
            })
        }))
    }
}

impl Wire {
    async fn exchange(&self, request: HttpRequest) -> Result<Response<Incoming>, HttpError> {
        let answered = tokio::select! {
            answered = self.client.request(request) => answered,
            () = self.clock.sleep(ANSWER_WITHIN) => {
                return Err(HttpError::new(HttpErrorKind::Request, Late(ANSWER_WITHIN)));
            }
        };
        answered.map_err(|error| {
            let kind = match error.is_connect() {
                true => HttpErrorKind::Connect,
                // Every request that we make may be made again: puts carry a stamp.
                false => HttpErrorKind::Request,
            };
            HttpError::new(kind, error)
        })
    }
}

fn outcome(status: StatusCode) -> Outcome {
    match status {
        status if status.is_success() => Outcome::Answered,
        StatusCode::TOO_MANY_REQUESTS => Outcome::Failed,
        status if status.is_server_error() => Outcome::Failed,
        _ => Outcome::Refused,
    }
}

/// Whether a request makes an object of the parts that were uploaded.
fn finishes_upload(request: &HttpRequest) -> bool {
    let query = request.uri().query().unwrap_or_default();
    request.method() == Method::POST && query.starts_with("uploadId=")
}

/// A body that fails when nothing comes for too long, and that ends where enough was read of it.
struct Bounded {
    body: Incoming,
    clock: Arc<dyn Clock>,
    /// Never locked: a body has to be shareable, and a sleep is not.
    pause: Option<Mutex<Sleep>>,
    /// How much of it is still read, if it is not read as a whole.
    left: Option<usize>,
}

impl Body for Bounded {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        if self.left == Some(0) {
            return Poll::Ready(None);
        }
        if let Poll::Ready(mut frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.pause = None;
            if let (Some(left), Some(Ok(frame))) = (&mut self.left, &mut frame)
                && let Some(piece) = frame.data_mut()
            {
                piece.truncate(*left);
                *left -= piece.len();
            }
            let frame = frame
                .map(|frame| frame.map_err(|error| HttpError::new(HttpErrorKind::Request, error)));
            return Poll::Ready(frame);
        }
        let Self { clock, pause, .. } = &mut *self;
        let pause = pause.get_or_insert_with(|| Mutex::new(clock.sleep(PAUSE_WITHIN)));
        ready!(pause.get_mut().as_mut().poll(context));
        let late = HttpError::new(HttpErrorKind::Request, Late(PAUSE_WITHIN));
        Poll::Ready(Some(Err(late)))
    }

    fn is_end_stream(&self) -> bool {
        self.left == Some(0) || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match self.left {
            Some(_) => SizeHint::default(),
            None => self.body.size_hint(),
        }
    }
}

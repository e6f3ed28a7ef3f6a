//! A server that speaks S3 on loopback, with one bucket in a temporary folder, and whatever can
//! go wrong between it and who asks.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{CONTENT_LENGTH, IF_NONE_MATCH},
};
use http_body_util::{BodyExt, BodyStream, Full, StreamBody, combinators::BoxBody};
use hyper::{
    body::{Frame, Incoming},
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use s3s::{
    auth::SimpleAuth,
    service::{S3Service, S3ServiceBuilder},
};
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::Mutex as AsyncMutex,
    task::{AbortHandle, JoinSet},
};
use tokio_rustls::TlsAcceptor;

/// The bucket that is there.
pub const BUCKET: &str = "files";

/// The id of the only key that is let in.
pub const ACCESS_KEY_ID: &str = "AKIDTEST";

/// The key.
pub const SECRET_ACCESS_KEY: &str = "s3-secret-of-tests";

/// What is asked, as far as a test wants to know.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The method.
    pub method: Method,
    /// The path: the bucket and what stands in it.
    pub path: String,
    /// The query, which tells the steps of an upload apart.
    pub query: String,
    /// Whether it is to be done only where nothing stands yet.
    pub is_conditional: bool,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is answered.
    Answered,
    /// It gets this status, and nothing is done.
    Refused(u16),
    /// It is done, and its answer gets lost with the connection.
    Unheard,
    /// Its answer breaks off with the connection after so many bytes.
    Cut(usize),
    /// Its answer ends after so many bytes, as if that were all.
    Shortened(usize),
    /// Its answer stops after so many bytes, and the connection stays.
    Stuck(usize),
}

type Judge = Arc<dyn Fn(&Asked) -> Fate + Send + Sync>;
type AnswerBody = BoxBody<Bytes, std::io::Error>;

/// A server that speaks S3; gone, with all that it holds, when this is dropped.
pub struct S3Server {
    root: TempDir,
    address: SocketAddr,
    shared: Arc<Shared>,
    tls: Option<TlsAcceptor>,
    listening: Option<AbortHandle>,
}

struct Shared {
    service: S3Service,
    judge: Mutex<Judge>,
    /// The uploads that were begun: their keys and when that was, by their ids.
    uploads: Mutex<BTreeMap<String, (String, SystemTime)>>,
    /// A condition is one step here: the server behind looks first and writes then.
    conditions: AsyncMutex<()>,
}

impl S3Server {
    /// Starts a server on a free port.
    ///
    /// # Panics
    ///
    /// When there is no folder or no port for it.
    pub async fn start() -> Self {
        let root = tempfile::tempdir().expect("there is a temporary folder");
        fs::create_dir(root.path().join(BUCKET)).expect("a folder can be made");
        let files = FileSystem::new(root.path()).expect("the folder is there");
        let mut builder = S3ServiceBuilder::new(files);
        builder.set_auth(SimpleAuth::from_single(ACCESS_KEY_ID, SECRET_ACCESS_KEY));
        let shared = Shared {
            service: builder.build(),
            judge: Mutex::new(Arc::new(|_| Fate::Answered)),
            uploads: Mutex::default(),
            conditions: AsyncMutex::default(),
        };
        let mut server = Self {
            root,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            shared: Arc::new(shared),
            tls: None,
            listening: None,
        };
        server.restart().await;
        server
    }

    /// Speaks TLS from now on, with a certificate of `localhost` and its key, both in PEM.
    ///
    /// # Panics
    ///
    /// When they are none.
    pub async fn protect(&mut self, certificate: &str, key: &str) {
        let certificates = CertificateDer::pem_slice_iter(certificate.as_bytes());
        let certificates = certificates.collect::<Result<_, _>>();
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes());
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider supports the versions of TLS that are safe")
            .with_no_client_auth()
            .with_single_cert(
                certificates.expect("certificates are PEM"),
                key.expect("a key is PEM"),
            );
        let config = config.expect("the key is the certificate's");
        self.tls = Some(TlsAcceptor::from(Arc::new(config)));
        self.restart().await;
    }

    /// Where it is, without a slash at the end.
    pub fn endpoint(&self) -> String {
        match &self.tls {
            Some(_) => format!("https://localhost:{}", self.address.port()),
            None => format!("http://{}", self.address),
        }
    }

    /// The URL of its bucket, as a configuration names it.
    pub fn url(&self) -> String {
        let endpoint = self.endpoint();
        format!("s3://{BUCKET}?endpoint={endpoint}&region=eu-test-1")
    }

    /// Lets a function decide what becomes of each request from now on.
    pub fn judge(&self, judge: impl Fn(&Asked) -> Fate + Send + Sync + 'static) {
        *self.shared.judge.lock() = Arc::new(judge);
    }

    /// Answers every request from now on.
    pub fn relent(&self) {
        self.judge(|_| Fate::Answered);
    }

    /// What stands in the bucket.
    pub fn objects(&self) -> Vec<PathBuf> {
        files_below(&self.root.path().join(BUCKET))
    }

    /// How many uploads were begun, and neither finished nor aborted.
    pub fn unfinished(&self) -> usize {
        self.shared.uploads.lock().len()
    }

    /// Goes away, with all connections.
    pub fn stop(&mut self) {
        if let Some(listening) = self.listening.take() {
            listening.abort();
        }
    }

    /// Comes back on the same address.
    ///
    /// # Panics
    ///
    /// When the port is taken.
    pub async fn restart(&mut self) {
        self.stop();
        let listener = crate::eventually("the port is free", || async {
            TcpListener::bind(self.address).await.ok()
        });
        let listener = listener.await;
        self.address = listener.local_addr().expect("a listener has an address");
        let (shared, tls) = (Arc::clone(&self.shared), self.tls.clone());
        let listening = tokio::spawn(async move {
            // Connections go with this task.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (shared, tls) = (Arc::clone(&shared), tls.clone());
                connections.spawn(async move {
                    match tls {
                        None => serve(shared, stream).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(shared, stream).await;
                            }
                        }
                    }
                });
            }
        });
        self.listening = Some(listening.abort_handle());
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn serve(shared: Arc<Shared>, stream: impl AsyncRead + AsyncWrite + Unpin) {
    let service = service_fn(move |request| answer(Arc::clone(&shared), request));
    let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // A broken connection is what some tests want.
    drop(served.await);
}

/// A connection that is to break ends with an error of the service.
async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<AnswerBody>, std::io::Error> {
    let asked = Asked {
        method: request.method().clone(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        is_conditional: request.headers().contains_key(IF_NONE_MATCH),
    };
    let judge = Arc::clone(&*shared.judge.lock());
    let fate = judge(&asked);
    if let Fate::Refused(status) = fate {
        // The whole request is taken, as servers do that are behind others.
        drop(request.into_body().collect().await);
        let body = Full::from("<Error><Code>SlowDown</Code></Error>");
        let answer = Response::builder().status(status).body(boxed(body));
        return Ok(answer.expect("the status is one"));
    }
    // What is done is done to its end, whatever becomes of the connection.
    let done = tokio::spawn(async move { shared.pass(request, asked).await });
    let answer = done.await.map_err(std::io::Error::other)?;
    match fate {
        Fate::Answered | Fate::Refused(_) => Ok(answer),
        Fate::Unheard => Err(cut()),
        Fate::Cut(bytes) => {
            let end = stream::once(async { Err(cut()) });
            Ok(answer.map(|body| first(body, bytes, end)))
        }
        Fate::Stuck(bytes) => Ok(answer.map(|body| first(body, bytes, stream::pending()))),
        Fate::Shortened(bytes) => {
            let mut answer = answer.map(|body| first(body, bytes, stream::empty()));
            let length = HeaderValue::from(bytes as u64);
            answer.headers_mut().insert(CONTENT_LENGTH, length);
            Ok(answer)
        }
    }
}

impl Shared {
    async fn pass(&self, request: Request<Incoming>, asked: Asked) -> Response<AnswerBody> {
        if asked.path.split('/').nth(1) != Some(BUCKET) {
            // The server behind would make the bucket.
            drop(request.into_body().collect().await);
            let body = Full::from("<Error><Code>NoSuchBucket</Code></Error>");
            let mut answer = Response::new(boxed(body));
            *answer.status_mut() = StatusCode::NOT_FOUND;
            return answer;
        }
        let alone = match asked.is_conditional {
            true => Some(self.conditions.lock().await),
            false => None,
        };
        let answer = match Service::call(&self.service, request).await {
            Ok(answer) => answer,
            Err(_) => return Response::new(boxed(Full::from(""))),
        };
        drop(alone);
        let (head, body) = answer.into_parts();
        let body = BoxBody::new(body.map_err(lost));
        let succeeded = head.status.is_success();
        let key = asked.path.trim_start_matches('/');
        let key = key.split_once('/').map_or("", |(_, key)| key);
        match asked.query.as_str() {
            // The server behind has checked the signature, and does not know the answer.
            query
                if asked.method == Method::GET
                    && query.starts_with("uploads=")
                    && head.status == StatusCode::NOT_IMPLEMENTED =>
            {
                return Response::new(boxed(Full::from(self.list_uploads())));
            }
            query if succeeded && asked.method == Method::POST && query.starts_with("uploads=") => {
                let read = body.collect().await.map(|read| read.to_bytes());
                let read = read.unwrap_or_default();
                let text = String::from_utf8_lossy(&read);
                let id = text.split("<UploadId>").nth(1);
                if let Some((id, _)) = id.and_then(|rest| rest.split_once('<')) {
                    let begun = (key.to_owned(), now());
                    self.uploads.lock().insert(id.to_owned(), begun);
                }
                return Response::from_parts(head, boxed(Full::from(read)));
            }
            query if succeeded && asked.method != Method::PUT => {
                if let Some(id) = query.strip_prefix("uploadId=") {
                    self.uploads.lock().remove(id);
                }
            }
            _ => {}
        }
        Response::from_parts(head, body)
    }

    fn list_uploads(&self) -> String {
        let uploads = self.uploads.lock();
        let uploads = uploads.iter().map(|(id, (key, begun))| {
            let begun = humantime::format_rfc3339_millis(*begun);
            format!(
                "<Upload><Key>{key}</Key><UploadId>{id}</UploadId>\
                 <Initiated>{begun}</Initiated></Upload>"
            )
        });
        format!(
            "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>{}\
             </ListMultipartUploadsResult>",
            uploads.collect::<String>()
        )
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a server of its own has the machine's time"
)]
fn now() -> SystemTime {
    SystemTime::now()
}

fn lost(error: Box<dyn std::error::Error + Send + Sync>) -> std::io::Error {
    std::io::Error::other(error)
}

fn cut() -> std::io::Error {
    std::io::Error::other("the connection is cut")
}

fn boxed(body: Full<Bytes>) -> AnswerBody {
    BoxBody::new(body.map_err(|never: Infallible| match never {}))
}

/// The first bytes of a body, and then something else.
fn first(
    body: AnswerBody,
    bytes: usize,
    end: impl futures_util::Stream<Item = std::io::Result<Frame<Bytes>>> + Send + Sync + 'static,
) -> AnswerBody {
    let frames = BodyStream::new(body).scan(bytes, |left, frame| {
        let frame = frame.map(|frame| {
            let mut piece = frame.into_data().unwrap_or_default();
            piece.truncate(*left);
            *left -= piece.len();
            Frame::data(piece)
        });
        let is_empty = frame
            .as_ref()
            .is_ok_and(|frame| frame.data_ref().is_none_or(Bytes::is_empty));
        std::future::ready((!is_empty).then_some(frame))
    });
    BoxBody::new(StreamBody::new(frames.chain(end)))
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .flat_map(|entry| match entry.path() {
            path if path.is_dir() => files_below(&path),
            path => vec![path],
        })
        .collect()
}

//! One connection: TLS if there is any, then HTTP/1.1 or HTTP/2, bounded in time and memory.

use std::{
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{body::Body, extract::ConnectInfo};
use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use model::time::Clock;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::OwnedSemaphorePermit,
    time::timeout,
};
use tokio_rustls::server::TlsStream;
use tower::ServiceExt;
use tower_http::timeout::TimeoutBody;

use super::{
    Certificates, Ends, Service,
    version::{Begun, Version, begin},
};

/// How long a client may take for the TLS handshake.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);

/// How long a connection may go without a request, and a request without the end of its head.
///
/// Longer than the minute for which proxies keep idle connections: whoever closes first must
/// not be the one that is about to be asked.
const HEAD_WITHIN: Duration = Duration::from_secs(75);

/// How long the next part of a body may take. What reads the body has limits of its own, which
/// are shorter and say more.
const BODY_MOVES_WITHIN: Duration = Duration::from_secs(90);

/// The largest head of a request; also the most that one HTTP/1.1 connection buffers.
const HEAD_BYTES: usize = 64 * 1024;

/// How often an HTTP/2 connection that is silent is asked whether it still lives.
const PING_EVERY: Duration = Duration::from_secs(60);

/// How many requests one HTTP/2 connection may have open.
const STREAMS: u32 = 128;

/// How much of one request's body may be on its way over HTTP/2; bodies larger than this wait.
const STREAM_WINDOW_BYTES: u32 = 256 * 1024;

/// An open connection, as long as this lives: counted, and within the limit.
pub(super) struct Opened {
    /// Held, never read: dropping it makes room.
    _permit: OwnedSemaphorePermit,
}

impl Opened {
    pub(super) fn new(permit: OwnedSemaphorePermit) -> Self {
        metrics::gauge!("conclave_http_connections").increment(1.0);
        Self { _permit: permit }
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        metrics::gauge!("conclave_http_connections").decrement(1.0);
    }
}

/// Serves a connection to its end.
///
/// This future is what an idle connection costs beside hyper's buffers: nothing large is moved
/// in it from one place to another, and what few connections need is boxed.
pub(super) async fn serve(
    service: Arc<Service>,
    stream: TcpStream,
    peer: SocketAddr,
    ends: Ends,
    _opened: Opened,
) {
    // Without it small answers wait for the client's acknowledgement. A peer that is gone
    // already makes it fail, which the first read tells as well.
    drop(stream.set_nodelay(true));
    match &service.certificates {
        None => speak(&service, stream, peer, &ends).await,
        Some(certificates) => {
            let secured = Box::pin(secure(certificates, stream, &ends)).await;
            if let Some(stream) = secured {
                speak(&service, stream, peer, &ends).await;
            }
        }
    }
}

/// Does the TLS handshake; the stream is boxed, since plain connections share its future.
async fn secure(
    certificates: &Certificates,
    stream: TcpStream,
    ends: &Ends,
) -> Option<Box<TlsStream<TcpStream>>> {
    let handshake = timeout(HANDSHAKE_WITHIN, certificates.acceptor().accept(stream));
    match ends.stop.run_until_cancelled(handshake).await? {
        Ok(Ok(stream)) => return Some(Box::new(stream)),
        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => tracing::debug!("a TLS handshake took too long"),
    }
    None
}

async fn speak<IO>(service: &Service, io: IO, peer: SocketAddr, ends: &Ends)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Some((version, io)) = Box::pin(first_bytes(service, io, ends)).await else {
        return;
    };
    let http = match version {
        Version::One => &service.http.one,
        Version::Two => &service.http.two,
    };
    let was_asked = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&was_asked);
    let router = service.router.clone();
    let answer = service_fn(move |request: Request<Incoming>| {
        asked.store(true, Ordering::Relaxed);
        let timed = |body| Body::new(TimeoutBody::new(BODY_MOVES_WITHIN, body));
        let mut request = request.map(timed);
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request)
    });
    let mut connection = pin!(http.serve_connection(TokioIo::new(io), answer));
    let mut is_stopping = false;
    let outcome = loop {
        tokio::select! {
            outcome = connection.as_mut() => break outcome,
            () = ends.abort.cancelled() => return,
            () = never_asks(&*service.clock, &was_asked), if !is_stopping => return,
            () = ends.stop.cancelled(), if !is_stopping => {
                // Half a head is no request: hyper would wait for the other half.
                if !was_asked.load(Ordering::Relaxed) {
                    return;
                }
                connection.as_mut().graceful_shutdown();
                is_stopping = true;
            }
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(error, "a connection broke");
    }
}

/// Which version of HTTP is spoken; none if nothing comes before the time, or the node, is over.
async fn first_bytes<IO>(service: &Service, io: IO, ends: &Ends) -> Option<(Version, Begun<IO>)>
where
    IO: AsyncRead + Unpin,
{
    tokio::select! {
        begun = begin(io) => begun
            .inspect_err(|error| tracing::debug!(%error, "a connection broke"))
            .ok(),
        () = ends.abort.cancelled() => None,
        () = ends.stop.cancelled() => None,
        () = service.clock.sleep(HEAD_WITHIN) => None,
    }
}

/// Ends when a connection over HTTP/2 has gone too long without its first request, which its pings
/// would answer forever. Over HTTP/1.1 hyper's own limit is as long.
async fn never_asks(clock: &dyn Clock, was_asked: &AtomicBool) {
    clock.sleep(HEAD_WITHIN).await;
    if was_asked.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
}

/// How HTTP is spoken, by its version.
pub(super) struct Http {
    one: auto::Builder<TokioExecutor>,
    two: auto::Builder<TokioExecutor>,
}

impl Http {
    pub(super) fn new() -> Self {
        Self {
            one: builder().http1_only(),
            two: builder().http2_only(),
        }
    }
}

/// How HTTP is spoken on every connection.
fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(HEAD_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(HEAD_BYTES as u32)
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(4 * STREAM_WINDOW_BYTES)
        .max_send_buf_size(HEAD_BYTES)
        .keep_alive_interval(PING_EVERY);
    builder
}

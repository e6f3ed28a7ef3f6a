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
    time::timeout,
};
use tower::ServiceExt;

use super::{Ends, Service};

/// How long a client may take for the TLS handshake.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);

/// How long a connection may go without a request, and a request without the end of its head.
///
/// Longer than the minute for which proxies keep idle connections: whoever closes first must
/// not be the one that is about to be asked.
const HEAD_WITHIN: Duration = Duration::from_secs(75);

/// The largest head of a request; also the most that one HTTP/1.1 connection buffers.
const HEAD_BYTES: usize = 64 * 1024;

/// How often an HTTP/2 connection that is silent is asked whether it still lives.
const PING_EVERY: Duration = Duration::from_secs(60);

/// How many requests one HTTP/2 connection may have open.
const STREAMS: u32 = 128;

/// How much of one request's body may be on its way over HTTP/2; bodies larger than this wait.
const STREAM_WINDOW_BYTES: u32 = 256 * 1024;

/// Serves a connection to its end.
pub(super) async fn serve(service: Arc<Service>, stream: TcpStream, peer: SocketAddr, ends: Ends) {
    metrics::gauge!("conclave_http_connections").increment(1.0);
    // Without it small answers wait for the client's acknowledgement. A peer that is gone
    // already makes it fail, which the first read tells as well.
    drop(stream.set_nodelay(true));
    let serving = async {
        match &service.certificates {
            None => speak(&service, stream, peer, &ends).await,
            Some(certificates) => {
                let handshake = certificates.acceptor().accept(stream);
                match timeout(HANDSHAKE_WITHIN, handshake).await {
                    Ok(Ok(stream)) => speak(&service, stream, peer, &ends).await,
                    Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
                    Err(_) => tracing::debug!("a TLS handshake took too long"),
                }
            }
        }
    };
    ends.abort.run_until_cancelled(serving).await;
    metrics::gauge!("conclave_http_connections").decrement(1.0);
}

async fn speak<IO>(service: &Service, io: IO, peer: SocketAddr, ends: &Ends)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let was_asked = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&was_asked);
    let router = service.router.clone();
    let answer = service_fn(move |request: Request<Incoming>| {
        asked.store(true, Ordering::Relaxed);
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request)
    });
    let builder = builder();
    let mut connection = pin!(builder.serve_connection(TokioIo::new(io), answer));
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = never_asks(&*service.clock, &was_asked) => return,
        // Half a head is no request: hyper would wait for the other half.
        () = ends.stop.cancelled() => {
            if !was_asked.load(Ordering::Relaxed) {
                return;
            }
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(error, "a connection broke");
    }
}

/// Ends when a connection has gone too long without its first request: until the first bytes tell
/// the version of HTTP, hyper's own limits do not count.
async fn never_asks(clock: &dyn Clock, was_asked: &AtomicBool) {
    clock.sleep(HEAD_WITHIN).await;
    if was_asked.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
}

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

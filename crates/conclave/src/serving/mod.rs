//! HTTP over TCP and TLS: listeners, connections, and their end.

mod connection;
mod health;
mod long_polls;
mod tls;
mod version;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use axum::Router;
use model::time::Clock;
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(crate) use health::health_routes;
pub(crate) use long_polls::end_long_polls;
pub(crate) use tls::{Certificates, read as read_certificate};

/// How long to wait before accepting again when the operating system refused.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// What is served, and to how many.
pub(crate) struct Offer {
    /// What answers.
    pub(crate) router: Router,
    /// What TLS shows, where this node ends TLS.
    pub(crate) certificates: Option<Arc<Certificates>>,
    /// How many connections may be open at once.
    pub(crate) most_connections: usize,
}

/// What all connections of some listeners share.
struct Service {
    router: Router,
    certificates: Option<Arc<Certificates>>,
    http: connection::Http,
    clock: Arc<dyn Clock>,
}

/// The ends of a node's connections.
#[derive(Clone)]
pub(crate) struct Ends {
    /// Say to who asks that no more requests should come.
    pub(crate) leave: CancellationToken,
    /// Accept nothing more, and close each connection after the request that it is answering.
    pub(crate) stop: CancellationToken,
    /// Close all connections, whatever they do.
    pub(crate) abort: CancellationToken,
    /// The listeners, the connections and whatever else runs.
    pub(crate) tasks: TaskTracker,
}

/// Binds an address; the error tells which key of the configuration names it.
pub(crate) async fn bind(address: SocketAddr, key: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}: stop what listens there, or choose another {key}")
    })
}

/// Answers on these listeners until `ends` say otherwise.
pub(crate) fn serve(
    offer: Offer,
    listeners: Vec<TcpListener>,
    ends: &Ends,
    clock: &Arc<dyn Clock>,
) {
    let room = Arc::new(Semaphore::new(offer.most_connections));
    let service = Arc::new(Service {
        router: offer.router,
        certificates: offer.certificates,
        http: connection::Http::new(),
        clock: Arc::clone(clock),
    });
    for listener in listeners {
        let (service, room, ends) = (Arc::clone(&service), Arc::clone(&room), ends.clone());
        let (stop, tasks) = (ends.stop.clone(), ends.tasks.clone());
        let accepting = accept(service, listener, room, ends);
        tasks.spawn(async move { stop.run_until_cancelled(accepting).await });
    }
}

/// At the limit connections wait in the operating system's queue, not in memory here.
async fn accept(service: Arc<Service>, listener: TcpListener, room: Arc<Semaphore>, ends: Ends) {
    while let Ok(permit) = Arc::clone(&room).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let opened = connection::Opened::new(permit);
                let (service, ends) = (Arc::clone(&service), ends.clone());
                let tasks = ends.tasks.clone();
                tasks.spawn(connection::serve(service, stream, peer, ends, opened));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                service.clock.sleep(AFTER_FAILURE).await;
            }
        }
    }
}

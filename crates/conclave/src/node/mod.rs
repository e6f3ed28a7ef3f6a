//! A whole server as one value.

mod faces;
mod owners;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use config::{Loaded, Origin};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Surroundings, configuration_record,
    control::{Administration, Socket},
    data_dir::DataDir,
    metrics_page, open_files,
    serving::{self, Certificates, Ends, Service},
    storage::Storage,
};
pub(crate) use owners::Owners;

/// How long requests may take to finish when the node stops.
const FINISH_WITHIN: Duration = Duration::from_secs(10);

/// How many may read metrics at once.
const METRICS_CONNECTIONS: usize = 16;

/// A running server. A process may have several, each with a data directory of its own.
///
/// Dropping it without [`Node::stop`] ends it as a crash would: what was acknowledged is kept.
pub struct Node {
    addresses: Vec<SocketAddr>,
    metrics_address: Option<SocketAddr>,
    public_url: String,
    setup_link: Option<String>,
    is_new: bool,
    certificates: Option<Arc<Certificates>>,
    ends: Ends,
    owners: Owners,
    /// Given up last: as long as it is held, nobody else opens the database.
    _data_dir: DataDir,
}

impl Node {
    /// Starts a server: data directory, key, database, owners, faces and listeners, in this order.
    ///
    /// # Errors
    ///
    /// One sentence that says what is wrong, where, and what to do.
    pub async fn start(loaded: &Loaded, surroundings: Surroundings) -> anyhow::Result<Self> {
        let metrics = metrics_page::start();
        let data_dir = DataDir::lock(&loaded.config)
            .map_err(|error| error.into_error(&loaded.config.server.data_dir))?;
        let storage = Storage::open(data_dir, loaded, &surroundings).await?;
        let is_new = storage.is_new;
        let owners = Owners::start(&loaded.config, &storage, &surroundings).await?;
        let config = &loaded.config;
        configuration_record::keep(loaded, &storage.keyring, &owners, &storage.data_dir)
            .await
            .context("the configuration could not be recorded")?;

        let certificates = config.server.tls.clone().map(Certificates::load);
        let certificates = certificates.transpose()?;
        let (listeners, addresses) = bind_all(&config.server.listen).await?;
        let public_url = public_url(loaded, &addresses);
        let ends = Ends {
            stop: CancellationToken::new(),
            abort: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        let setup = owners.accounts.make_setup_link().await;
        let setup = setup.context("the setup link could not be made")?;
        let setup_link = setup.map(|token| faces::setup_link(&public_url, &token));

        let clock = Arc::clone(&surroundings.clock);
        let face = faces::build(config, &public_url, &owners, &surroundings, &ends).await?;
        let service = Service {
            router: face,
            certificates: certificates.clone(),
            most_connections: open_files::most_connections(),
        };
        serving::serve(service, listeners, &ends, &clock);
        if let Some(certificates) = &certificates {
            let following = Arc::clone(certificates).follow_files(Arc::clone(&clock));
            spawn(&ends, following);
        }
        let mut metrics_address = None;
        if let Some(handle) = metrics {
            if let Some(address) = config.metrics.listen {
                let listener = serving::bind(address, "metrics.listen").await?;
                metrics_address = Some(listener.local_addr()?);
                let service = Service {
                    router: metrics_page::routes(handle.clone()),
                    certificates: None,
                    most_connections: METRICS_CONNECTIONS,
                };
                serving::serve(service, vec![listener], &ends, &clock);
            }
            spawn(&ends, metrics_page::keep_up(handle, clock));
        }
        let administration = Administration::new(owners.clone(), &storage);
        let socket = Socket::bind(storage.data_dir.path())?;
        spawn(&ends, socket.serve(administration, ends.tasks.clone()));
        tracing::info!(
            engine = storage.database.engine_name(),
            url = public_url,
            "the server has started"
        );
        Ok(Self {
            addresses,
            metrics_address,
            public_url,
            setup_link,
            is_new,
            certificates,
            ends,
            owners,
            _data_dir: storage.data_dir,
        })
    }

    /// The addresses on which it serves clients, with the ports that were chosen for port 0.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The address on which `/metrics` is, if it is served.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// Where clients reach it, without a slash at the end.
    pub fn public_url(&self) -> &str {
        &self.public_url
    }

    /// The link with which the first administrator is made, as long as there is none.
    pub fn setup_link(&self) -> Option<&str> {
        self.setup_link.as_deref()
    }

    /// Whether this start made the database.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Reads certificate and key again now, instead of when their files are seen to change.
    pub fn reload_certificates(&self) {
        if let Some(certificates) = &self.certificates {
            certificates.reload();
        }
    }

    /// Stops: nothing new is accepted, long polls end, requests finish within ten seconds, and
    /// the log writes what is queued.
    pub async fn stop(self) {
        self.ends.stop.cancel();
        self.ends.tasks.close();
        let finished = tokio::time::timeout(FINISH_WITHIN, self.ends.tasks.wait()).await;
        if finished.is_err() {
            tracing::warn!("requests that did not finish were broken off");
            self.ends.abort.cancel();
            self.ends.tasks.wait().await;
        }
        self.owners.log.stop().await;
        tracing::info!("the server has stopped");
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.ends.stop.cancel();
        self.ends.abort.cancel();
    }
}

/// Runs something until the node stops.
fn spawn(ends: &Ends, work: impl Future<Output = ()> + Send + 'static) {
    let stop = ends.stop.clone();
    ends.tasks
        .spawn(async move { stop.run_until_cancelled(work).await });
}

async fn bind_all(addresses: &[SocketAddr]) -> anyhow::Result<(Vec<TcpListener>, Vec<SocketAddr>)> {
    let mut listeners = Vec::new();
    let mut bound = Vec::new();
    for address in addresses {
        let listener = serving::bind(*address, "server.listen").await?;
        bound.push(listener.local_addr()?);
        listeners.push(listener);
    }
    Ok((listeners, bound))
}

/// With port 0 the default is known only now.
fn public_url(loaded: &Loaded, addresses: &[SocketAddr]) -> String {
    let server = &loaded.config.server;
    let nobody_chose = loaded.origin("server.public_url") == Some(&Origin::Default);
    let url = match addresses.first() {
        Some(address) if nobody_chose => server.default_public_url(*address),
        _ => server.public_url.clone(),
    };
    url.as_str().trim_end_matches('/').to_owned()
}

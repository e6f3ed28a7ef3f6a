//! What a node listens on: bound before anything is served, so that a start fails as a whole.

use std::{net::SocketAddr, sync::Arc};

use config::{Loaded, Origin};
use tokio::net::TcpListener;

use crate::serving::{self, Certificates};

/// Bound listeners, and what clients are told of them.
pub(super) struct Doors {
    pub(super) clients: Vec<TcpListener>,
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) certificates: Option<Arc<Certificates>>,
    pub(super) metrics: Option<TcpListener>,
    pub(super) metrics_address: Option<SocketAddr>,
    /// Where clients reach this node, without a slash at the end.
    pub(super) public_url: String,
}

impl Doors {
    /// Binds every address, and reads the certificate.
    pub(super) async fn open(loaded: &Loaded) -> anyhow::Result<Self> {
        let config = &loaded.config;
        let certificates = config.server.tls.clone().map(Certificates::load);
        let certificates = certificates.transpose()?;
        let (mut clients, mut addresses) = (Vec::new(), Vec::new());
        for address in &config.server.listen {
            let listener = serving::bind(*address, "server.listen").await?;
            addresses.push(listener.local_addr()?);
            clients.push(listener);
        }
        let metrics = match config.metrics.listen {
            Some(address) => Some(serving::bind(address, "metrics.listen").await?),
            None => None,
        };
        let metrics_address = metrics.as_ref().map(TcpListener::local_addr).transpose()?;
        Ok(Self {
            public_url: public_url(loaded, &addresses),
            clients,
            addresses,
            certificates,
            metrics,
            metrics_address,
        })
    }
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

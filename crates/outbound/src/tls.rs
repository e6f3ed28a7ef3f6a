//! How protected connections are made.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

/// Those whom these authorities vouch for are believed, and HTTP/1.1 is spoken.
pub(crate) fn client(roots: RootCertStore) -> Arc<ClientConfig> {
    let mut config = trust::client(roots);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

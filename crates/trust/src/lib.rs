//! TLS as a client: whom this server trusts, and who it is itself.
//!
//! Each connection that this server makes is protected by what is made here: TLS 1.2 or newer, by
//! rustls with the cryptography of AWS-LC, and no way to trust somebody without looking.

mod identity;
mod roots;

pub use identity::{BadIdentity, Identity};
pub use roots::{BadRoots, roots_in, system_roots};

use std::sync::Arc;

use rustls::{
    ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier, client::WantsClientCert,
    crypto::aws_lc_rs,
};

/// How a connection is protected by somebody who says nothing of themselves.
pub fn client(roots: impl Into<Arc<RootCertStore>>) -> ClientConfig {
    trusting(roots).with_no_client_auth()
}

/// The same, by somebody who shows a certificate when they are asked for one.
pub fn client_as(identity: Identity, roots: impl Into<Arc<RootCertStore>>) -> ClientConfig {
    trusting(roots).with_client_cert_resolver(identity.into_resolver())
}

fn trusting(roots: impl Into<Arc<RootCertStore>>) -> ConfigBuilder<ClientConfig, WantsClientCert> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder: ConfigBuilder<ClientConfig, WantsVerifier> =
        ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider supports the versions of TLS that are safe");
    builder.with_root_certificates(roots)
}

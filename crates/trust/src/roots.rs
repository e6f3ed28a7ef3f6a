//! The authorities that may vouch for others.

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

/// A file holds no certificate of an authority, or something else.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("it does not hold certificates as PEM, and nothing else")]
pub struct BadRoots;

/// The authorities that this machine trusts.
///
/// Where there are none, nobody is trusted, and a warning says so.
pub fn system_roots() -> RootCertStore {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "some of this machine's certificate authorities cannot be read");
    }
    let mut roots = RootCertStore::empty();
    let (added, _unreadable) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        tracing::warn!(
            "this machine trusts no certificate authority: nobody outside is spoken to over TLS"
        );
    }
    roots
}

/// The authorities in a file of certificates (PEM).
pub fn roots_in(pem: &[u8]) -> Result<RootCertStore, BadRoots> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|_| BadRoots)?;
        roots.add(certificate).map_err(|_| BadRoots)?;
    }
    if roots.is_empty() {
        Err(BadRoots)
    } else {
        Ok(roots)
    }
}

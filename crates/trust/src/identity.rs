//! Who this server is to those who ask for a certificate.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    client::ResolvesClientCert,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::{CertifiedKey, SingleCertAndKey},
};
use zeroize::Zeroizing;

/// A certificate with those that lead to its authority, and its private key.
pub struct Identity(CertifiedKey);

/// A certificate and a key are no identity. It says nothing of what is in the files.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadIdentity {
    /// A file is not there, or is not for this server to read.
    #[error("cannot read {}: {}", .0.display(), .1)]
    Unread(PathBuf, io::ErrorKind),
    /// There is no certificate.
    #[error("the file of the certificate does not hold certificates as PEM")]
    Certificate,
    /// There is no key, or one that is encrypted.
    #[error("the file of the key does not hold a private key as PEM without a passphrase")]
    Key,
    /// Each is well, and they are not one another's.
    #[error("the certificate and the key do not belong together")]
    Apart,
}

/// Shows nothing of the key.
impl fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Identity")
    }
}

impl Identity {
    /// Reads a certificate and its key, each as PEM; both may stand in one file.
    pub fn in_files(certificate: &Path, key: &Path) -> Result<Self, BadIdentity> {
        let read = |file: &Path| match fs::read(file) {
            Ok(bytes) => Ok(Zeroizing::new(bytes)),
            Err(error) => Err(BadIdentity::Unread(file.to_owned(), error.kind())),
        };
        Self::in_pem(&read(certificate)?, &read(key)?)
    }

    fn in_pem(certificate: &[u8], key: &[u8]) -> Result<Self, BadIdentity> {
        let chain = CertificateDer::pem_slice_iter(certificate).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|_| BadIdentity::Certificate)?;
        if chain.is_empty() {
            return Err(BadIdentity::Certificate);
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| BadIdentity::Key)?;
        let made = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider());
        made.map(Self).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => BadIdentity::Apart,
            rustls::Error::InvalidCertificate(_) => BadIdentity::Certificate,
            _ => BadIdentity::Key,
        })
    }

    pub(crate) fn into_resolver(self) -> Arc<dyn ResolvesClientCert> {
        Arc::new(SingleCertAndKey::from(self.0))
    }
}

#[cfg(test)]
mod tests {
    use testkit::authority::Authority;

    use super::{BadIdentity, Identity};

    #[test]
    fn only_a_certificate_with_its_own_key_is_an_identity_and_no_refusal_shows_a_key() {
        let authority = Authority::new("ours");
        let (one, other) = (authority.issue_to("me"), authority.issue_to("you"));
        let read = |certificate: &str, key: &str| {
            Identity::in_pem(certificate.as_bytes(), key.as_bytes()).err()
        };
        assert_eq!(read(&one.certificate, &one.key), None);
        let together = format!("{}{}", one.key, one.certificate);
        assert_eq!(read(&together, &together), None);
        assert_eq!(read(&one.certificate, &other.key), Some(BadIdentity::Apart));
        assert_eq!(read(&one.key, &one.key), Some(BadIdentity::Certificate));
        assert_eq!(
            read(&one.certificate, &one.certificate),
            Some(BadIdentity::Key)
        );
        assert_eq!(read("", ""), Some(BadIdentity::Certificate));
        let secret = one.key.lines().nth(1).unwrap();
        let broken = one.key.replace("PRIVATE", "SECRET");
        let told = format!("{:?}", read(&one.certificate, &broken));
        assert!(!told.contains(secret), "{told}");
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let refused = Identity::in_files("/nowhere/cert".as_ref(), "/nowhere/key".as_ref());
        let told = refused.err().unwrap().to_string();
        assert!(told.contains("/nowhere/cert"), "{told}");
    }
}

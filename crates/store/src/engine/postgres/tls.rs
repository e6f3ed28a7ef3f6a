//! TLS to PostgreSQL: who is believed, and what binds a password to the connection.
//!
//! [`tokio-postgres-rustls`](https://crates.io/crates/tokio-postgres-rustls) does the same; why it
//! is not used stands in [decision 13](../../../../../docs/decisions/0013-tls-to-postgresql.md).

use std::{
    fmt, fs, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use aws_lc_rs::digest;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use rustls::{CertificateError, ClientConfig, RootCertStore, pki_types::ServerName};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_rustls::{TlsConnector, client};

use super::{address::Files, certificate};
use crate::StoreError;

/// What the protocol is called in the handshake, so that no server of another one is talked into
/// playing PostgreSQL.
const PROTOCOL: &[u8] = b"postgresql";

/// Who is believed, as the files say that name them.
pub(super) struct Protection {
    files: Files,
    /// Read once: an operating system is upgraded seldom, and its authorities are many.
    system: Option<Arc<RootCertStore>>,
    latest: Mutex<Arc<ClientConfig>>,
}

impl Protection {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// When one of them cannot be read, or does not hold what it should.
    pub(super) fn read(files: Files) -> Result<Self, StoreError> {
        let system = match files.authorities {
            Some(_) => None,
            None => Some(Arc::new(trust::system_roots())),
        };
        let config = config(&files, system.clone())?;
        Ok(Self {
            files,
            system,
            latest: Mutex::new(config),
        })
    }

    /// What the files say now: certificates are replaced while the server runs. Files that are no
    /// good do not end what worked before.
    pub(super) async fn current(&self) -> Handshakes {
        if self.files != Files::default() {
            let (files, system) = (self.files.clone(), self.system.clone());
            let reading = tokio::task::spawn_blocking(move || config(&files, system));
            match reading.await {
                Ok(Ok(config)) => *self.latest.lock() = config,
                Ok(Err(error)) => tracing::warn!(
                    %error,
                    "the certificates for PostgreSQL are not usable: the ones before are used"
                ),
                Err(error) => tracing::error!(%error, "the certificates could not be read"),
            }
        }
        Handshakes(Arc::clone(&self.latest.lock()))
    }
}

fn config(
    files: &Files,
    system: Option<Arc<RootCertStore>>,
) -> Result<Arc<ClientConfig>, StoreError> {
    let roots = match (&files.authorities, system) {
        (Some(file), _) => {
            let refused = |why: &dyn fmt::Display| {
                let file = file.display();
                StoreError::Refused(format!("sslrootcert of database.url ({file}): {why}"))
            };
            let pem = fs::read(file).map_err(|error| refused(&error))?;
            Arc::new(trust::roots_in(&pem).map_err(|error| refused(&error))?)
        }
        (None, Some(roots)) => roots,
        (None, None) => Arc::new(trust::system_roots()),
    };
    let mut config = match &files.identity {
        Some((cert, key)) => {
            let identity = trust::Identity::in_files(cert, key).map_err(|error| {
                StoreError::Refused(format!("sslcert and sslkey of database.url: {error}"))
            })?;
            trust::client_as(identity, roots)
        }
        None => trust::client(roots),
    };
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok(Arc::new(config))
}

/// Makes the handshake of one connection after the other.
#[derive(Clone)]
pub(super) struct Handshakes(Arc<ClientConfig>);

/// The handshake of one connection, with whoever can show that they have this name.
pub(super) struct Handshake {
    config: Arc<ClientConfig>,
    name: String,
}

impl<S> MakeTlsConnect<S> for Handshakes
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Protected<S>;
    type TlsConnect = Handshake;
    type Error = std::convert::Infallible;

    fn make_tls_connect(&mut self, name: &str) -> Result<Handshake, Self::Error> {
        Ok(Handshake {
            config: Arc::clone(&self.0),
            name: name.to_owned(),
        })
    }
}

impl<S> TlsConnect<S> for Handshake
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Protected<S>;
    type Error = Untrusted;
    type Future = BoxFuture<'static, Result<Protected<S>, Untrusted>>;

    fn connect(self, stream: S) -> Self::Future {
        let Self { config, name } = self;
        Box::pin(async move {
            // An address is checked as one: the certificate has to name it as such.
            let Ok(server) = ServerName::try_from(name.clone()) else {
                return Err(Untrusted(format!(
                    "{name:?} is no name that a certificate has"
                )));
            };
            let shaken = TlsConnector::from(config).connect(server, stream).await;
            let stream = shaken.map_err(|error| Untrusted(explain(&name, &error)))?;
            Ok(Protected(stream))
        })
    }
}

/// Why a server is not spoken to.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Untrusted(String);

fn explain(name: &str, error: &io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    let Some(rustls::Error::InvalidCertificate(why)) = inner else {
        return format!("TLS with {name} did not come about: {error}");
    };
    match why {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => format!(
            "the certificate of {name} is from an authority that is not trusted here: \
             sslrootcert=FILE in database.url names those that are"
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("the certificate that {name} shows is not for that name: {why}")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!("the certificate of {name} has expired: {why}")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            format!("the certificate of {name} is not valid yet: {why}")
        }
        why => format!("the certificate of {name} is not good: {why}"),
    }
}

/// A connection that nobody else reads or writes.
pub(super) struct Protected<S>(client::TlsStream<S>);

impl<S> TlsStream for Protected<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    /// A hash of the server's certificate: who stands in between with another one, and has the
    /// password's proof pass through, is found out ([RFC 5929]).
    ///
    /// [RFC 5929]: https://www.rfc-editor.org/rfc/rfc5929#section-4.1
    fn channel_binding(&self) -> ChannelBinding {
        let (_, connection) = self.0.get_ref();
        let shown = connection.peer_certificates().and_then(<[_]>::first);
        let hashed = shown.and_then(|certificate| {
            let algorithm = certificate::binding_hash(certificate)?;
            Some(digest::digest(algorithm, certificate).as_ref().to_vec())
        });
        hashed.map_or_else(ChannelBinding::none, ChannelBinding::tls_server_end_point)
    }
}

impl<S> AsyncRead for Protected<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl<S> AsyncWrite for Protected<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

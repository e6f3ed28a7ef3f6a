//! The certificates that a server shows, whatever they are: they are judged afterwards, and nothing
//! is said over the connection.

use std::{io, sync::Arc, time::Duration};

use parking_lot::Mutex;
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

/// Why no certificates were shown.
#[derive(Debug)]
pub(super) enum NotShown {
    /// There is nobody.
    Unreachable,
    /// Whoever is there does not speak TLS, or not with this program.
    NoTls(io::Error),
}

/// Connects, and looks at what is shown; the connection is ended then.
pub(super) async fn certificates(
    host: &str,
    port: u16,
    within: Duration,
) -> Result<Vec<CertificateDer<'static>>, NotShown> {
    let connected = timeout(within, TcpStream::connect((host, port))).await;
    let Ok(Ok(stream)) = connected else {
        return Err(NotShown::Unreachable);
    };
    let no_tls = |error: &str| NotShown::NoTls(io::Error::other(error.to_owned()));
    let name = ServerName::try_from(host.to_owned());
    let name = name.map_err(|_| no_tls("its host is neither a name nor an address"))?;
    let recorder = Arc::new(Recorder::new());
    let config = ClientConfig::builder_with_provider(Arc::clone(&recorder.provider))
        .with_safe_default_protocol_versions()
        .expect("the provider supports the versions of TLS that are safe")
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&recorder) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    let handshake = timeout(within, connector.connect(name, stream)).await;
    match handshake {
        Ok(Ok(_)) => Ok(std::mem::take(&mut *recorder.shown.lock())),
        Ok(Err(error)) => Err(NotShown::NoTls(error)),
        Err(_) => Err(no_tls("it does not answer in time")),
    }
}

/// Notes what it is shown, and finds fault with nothing but with a key that is another's.
#[derive(Debug)]
struct Recorder {
    provider: Arc<CryptoProvider>,
    shown: Mutex<Vec<CertificateDer<'static>>>,
}

impl Recorder {
    fn new() -> Self {
        Self {
            provider: Arc::new(aws_lc_rs::default_provider()),
            shown: Mutex::default(),
        }
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let all = std::iter::once(own).chain(above);
        *self.shown.lock() = all.map(|shown| shown.clone().into_owned()).collect();
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

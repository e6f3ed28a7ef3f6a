//! From an address to a connection, by way of what may be connected to.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use futures_util::future::{Either, select};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use crate::{
    FetchError,
    address::{Place, place},
    outbound::{Outbound, Policy},
    port,
};

/// How long one address may take to accept a connection.
const CONNECT_PATIENCE: Duration = Duration::from_secs(4);

/// How many addresses of one name are tried.
const MAX_TRIED: usize = 4;

/// Bytes in both directions.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection, protected if the address says so.
pub(crate) type Connection = TokioIo<Box<dyn Stream>>;

/// Refuses what is no address of a page, before anybody is asked anything.
pub(crate) fn check(policy: Policy, url: &Url) -> Result<(), FetchError> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(FetchError::Scheme);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(FetchError::Credentials);
    }
    let port = port_of(url)?;
    if !policy.allow_any_port && !port::is_for_pages(port) {
        return Err(FetchError::Port(port));
    }
    Ok(())
}

fn port_of(url: &Url) -> Result<u16, FetchError> {
    url.port_or_known_default().ok_or(FetchError::Scheme)
}

impl Outbound {
    /// Connects to where an address leads, if it leads where one may go.
    pub(crate) async fn connect(&self, url: &Url) -> Result<Connection, FetchError> {
        check(self.0.policy, url)?;
        let port = port_of(url)?;
        let host = url.host().ok_or(FetchError::Scheme)?;
        let addresses = self.addresses_of(&host).await?;
        let stream = self.connect_to_any(&addresses, port).await?;
        if url.scheme() == "http" {
            let stream: Box<dyn Stream> = Box::new(stream);
            return Ok(TokioIo::new(stream));
        }
        let connector = TlsConnector::from(Arc::clone(self.0.tls()));
        let stream = connector.connect(name_of(&host)?, stream).await;
        let stream: Box<dyn Stream> = Box::new(stream.map_err(FetchError::Unproved)?);
        Ok(TokioIo::new(stream))
    }

    /// The addresses of a host, all of which may be connected to.
    ///
    /// One that may not refuses the host as a whole: whoever names an address inside beside one
    /// outside is up to something.
    async fn addresses_of(&self, host: &Host<&str>) -> Result<Vec<IpAddr>, FetchError> {
        let addresses = match *host {
            Host::Ipv4(address) => vec![address.into()],
            Host::Ipv6(address) => vec![address.into()],
            Host::Domain(name) => {
                let found = self.0.resolver.resolve(name).await;
                found.map_err(FetchError::Unresolved)?
            }
        };
        for &address in &addresses {
            judge(self.0.policy, address)?;
        }
        Ok(addresses)
    }

    async fn connect_to_any(
        &self,
        addresses: &[IpAddr],
        port: u16,
    ) -> Result<TcpStream, FetchError> {
        let mut failure = FetchError::Unresolved(io::ErrorKind::NotFound.into());
        for &address in addresses.iter().take(MAX_TRIED) {
            let connecting = Box::pin(TcpStream::connect(SocketAddr::new(address, port)));
            let patience = self.0.clock.sleep(CONNECT_PATIENCE);
            failure = match select(connecting, patience).await {
                Either::Left((Ok(stream), _)) => return Ok(stream),
                Either::Left((Err(error), _)) => FetchError::Unreachable(error),
                Either::Right(_) => FetchError::Unreachable(io::ErrorKind::TimedOut.into()),
            };
        }
        Err(failure)
    }
}

fn judge(policy: Policy, address: IpAddr) -> Result<(), FetchError> {
    match place(address) {
        Place::Outside => Ok(()),
        Place::Inside(_) if policy.allow_private_addresses => Ok(()),
        Place::Inside(what) | Place::Nowhere(what) => Err(FetchError::Refused { address, what }),
    }
}

/// The name that a certificate has to have.
fn name_of(host: &Host<&str>) -> Result<ServerName<'static>, FetchError> {
    match *host {
        Host::Ipv4(address) => Ok(ServerName::from(IpAddr::from(address))),
        Host::Ipv6(address) => Ok(ServerName::from(IpAddr::from(address))),
        // The dot at its end is of the name, not of the certificate.
        Host::Domain(name) => ServerName::try_from(name.trim_end_matches('.').to_owned())
            .map_err(|error| FetchError::Unproved(io::Error::other(error))),
    }
}

//! `[server]`: the name, the addresses and the data directory.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use ruma::OwnedServerName;
use url::Url;

use super::section;
use crate::{reader::Reader, values::IpNetwork};

section! {
    /// Who this server is, where it listens and where it keeps its data.
    pub Server in "server" {
        /// The name that ends every user's id.
        /// It can never change once the server has started.
        name: OwnedServerName = "localhost";
        /// Where clients reach this server, as they see it: behind a proxy, the proxy's address.
        public_url: Url = derived(
            public_url_of,
            "`http`, or `https` with TLS; `localhost` when the first address of `server.listen` \
             is a loopback address, else the host of `server.name`; the port of that address"
        );
        /// The addresses on which clients are served.
        listen: Vec<SocketAddr> = "127.0.0.1:8008";
        /// The proxies whose `X-Forwarded-For` header is believed; from anybody else it is ignored.
        trusted_proxies: Vec<IpNetwork> = "";
        /// How long a server that was asked to stop goes on answering, while
        /// `/_conclave/health/ready` says that it is: longer than a load balancer takes to look.
        leave_after: Option<Duration> = "";
        /// The folder for everything this server keeps on this machine.
        /// Two servers cannot share one.
        data_dir: PathBuf = "./conclave-data";
    }
    and {
        /// Certificate and key, when this server ends TLS itself.
        tls from Tls;
    }
}

section! {
    /// TLS without a proxy. Set both keys, or neither. The files are read again when they change.
    pub(super) TlsKeys in "server.tls" {
        /// The certificate chain in PEM, the server's own certificate first.
        cert_file: Option<PathBuf> = "";
        /// The certificate's private key in PEM.
        key_file: Option<PathBuf> = "";
    }
}

/// The two files that TLS needs.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The certificate chain in PEM, the server's own certificate first.
    pub cert_file: PathBuf,
    /// The certificate's private key in PEM.
    pub key_file: PathBuf,
}

impl Tls {
    /// Reads both files' paths; the inner `None` means that TLS is off.
    #[expect(
        clippy::option_option,
        reason = "a problem and an absent section differ"
    )]
    fn read_whole(reader: &Reader) -> Option<Option<Self>> {
        match TlsKeys::read(reader)? {
            TlsKeys {
                cert_file: None,
                key_file: None,
            } => Some(None),
            TlsKeys {
                cert_file: Some(cert_file),
                key_file: Some(key_file),
            } => Some(Some(Self {
                cert_file,
                key_file,
            })),
            TlsKeys {
                cert_file: Some(_), ..
            } => {
                let message = "is set without server.tls.key_file";
                reader.refuse("server.tls.cert_file", message, "both keys, or neither");
                None
            }
            TlsKeys { .. } => {
                let message = "is set without server.tls.cert_file";
                reader.refuse("server.tls.key_file", message, "both keys, or neither");
                None
            }
        }
    }
}

impl Server {
    /// Reads the section and checks what no single key can tell.
    pub(crate) fn read_checked(reader: &Reader) -> Option<Self> {
        let server = Self::read(reader)?;
        if server.listen.is_empty() {
            reader.refuse("server.listen", "names no address", "at least one address");
            return None;
        }
        Some(server)
    }

    /// Gives the public URL that is the default for a server that listens on `address`.
    ///
    /// With port 0 the listener's port is known only after it is bound; callers that bind such an
    /// address use this when nobody set `server.public_url`.
    pub fn default_public_url(&self, address: SocketAddr) -> Url {
        default_public_url(self.tls.is_some(), self.name.host(), address)
    }
}

fn public_url_of(reader: &Reader) -> String {
    let name: Option<OwnedServerName> = reader.peek("server.name");
    let listen: Option<Vec<SocketAddr>> = reader.peek("server.listen");
    let certificate: Option<Option<PathBuf>> = reader.peek("server.tls.cert_file");
    let host = name.as_ref().map_or("localhost", |name| name.host());
    let first = listen.and_then(|addresses| addresses.first().copied());
    let address = first.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8008)));
    default_public_url(certificate.flatten().is_some(), host, address).to_string()
}

fn default_public_url(tls: bool, host: &str, address: SocketAddr) -> Url {
    let scheme = if tls { "https" } else { "http" };
    let host = if address.ip().is_loopback() {
        "localhost"
    } else {
        host
    };
    let port = address.port();
    // A server name may hold a host that URLs refuse, such as `1.2.3.4.5`; then the address serves.
    Url::parse(&format!("{scheme}://{host}:{port}")).unwrap_or_else(|_| {
        let host = match address.ip() {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        Url::parse(&format!("{scheme}://{host}:{port}"))
            .expect("a scheme, an IP address and a port make a URL")
    })
}

/// Gives the path of a file in the data directory, for defaults of other sections.
pub(super) fn in_data_dir(reader: &Reader, name: &str) -> String {
    // A data directory that cannot be read has its own problem noted.
    let data_dir: PathBuf = reader.peek("server.data_dir").unwrap_or_default();
    data_dir.join(name).to_string_lossy().into_owned()
}

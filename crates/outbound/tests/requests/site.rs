//! A server on this machine that answers as a test says, a client, and a table of names.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use outbound::{Answer, FetchError, Get, Outbound, Parts, Policy, Redirects, Resolve};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use testkit::clock::FakeClock;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;
use url::Url;

/// What is noted when a client goes away that was not answered to the end.
pub(crate) const LEFT: &str = "left";

pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

/// What a path is answered with.
#[derive(Clone)]
pub(crate) enum Reply {
    /// These bytes, and the end of the connection.
    Whole(Vec<u8>),
    /// These bytes, and then nothing for ever.
    Stalled(Vec<u8>),
}

pub(crate) fn page(body: &str) -> Reply {
    let length = body.len();
    Reply::Whole(
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: Text/HTML; charset=utf-8\r\nContent-Length: \
             {length}\r\n\r\n{body}"
        )
        .into(),
    )
}

pub(crate) fn redirect(to: &str) -> Reply {
    Reply::Whole(
        format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n").into(),
    )
}

/// A server; dropping it ends it.
pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    serving: JoinHandle<()>,
}

impl Site {
    pub(crate) async fn start<const N: usize>(replies: [(&str, Reply); N]) -> Self {
        Self::serve(replies, None).await
    }

    /// With a certificate for `pages.test`.
    pub(crate) async fn start_protected<const N: usize>(replies: [(&str, Reply); N]) -> Self {
        let certificate = include_bytes!("tls/pages.cert.pem");
        let key = include_bytes!("tls/pages.key.pem");
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from_pem_slice(certificate).unwrap()],
                PrivateKeyDer::from_pem_slice(key).unwrap(),
            );
        let acceptor = TlsAcceptor::from(Arc::new(config.unwrap()));
        Self::serve(replies, Some(acceptor)).await
    }

    async fn serve<const N: usize>(
        replies: [(&str, Reply); N],
        acceptor: Option<TlsAcceptor>,
    ) -> Self {
        let replies: HashMap<String, Reply> =
            replies.map(|(path, reply)| (path.to_owned(), reply)).into();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&asked);
        let serving = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (replies, heard) = (replies.clone(), Arc::clone(&heard));
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    match acceptor {
                        None => answer(stream, &replies, &heard).await,
                        Some(acceptor) => match acceptor.accept(stream).await {
                            Ok(stream) => answer(stream, &replies, &heard).await,
                            Err(_) => heard.lock().unwrap().push("not trusted".to_owned()),
                        },
                    }
                });
            }
        });
        Self {
            address,
            asked,
            serving,
        }
    }

    /// The address of a path, under the server's address in numbers.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The address of a path under a name.
    pub(crate) fn named(&self, scheme: &str, name: &str, path: &str) -> String {
        format!("{scheme}://{name}:{}{path}", self.address.port())
    }

    /// The heads of all requests that came.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    replies: &HashMap<String, Reply>,
    heard: &Mutex<Vec<String>>,
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap().to_owned();
    heard.lock().unwrap().push(head);
    let missing = Reply::Whole(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec());
    let reply = replies.get(&path).unwrap_or(&missing);
    let (Reply::Whole(bytes) | Reply::Stalled(bytes)) = reply;
    // A client that has enough goes away.
    let _ = stream.write_all(bytes).await;
    let _ = stream.flush().await;
    match reply {
        Reply::Whole(_) => {
            let _ = stream.shutdown().await;
        }
        Reply::Stalled(_) => {
            while stream.read_u8().await.is_ok() {}
            heard.lock().unwrap().push(LEFT.to_owned());
        }
    }
}

/// Names and their addresses; of each name every question is counted, and a list for each.
#[derive(Default)]
pub(crate) struct Names {
    known: HashMap<&'static str, Vec<Vec<IpAddr>>>,
    asked: Mutex<HashMap<String, usize>>,
}

impl Names {
    /// Adds a name that has these addresses when it is asked for first, then the next ones.
    pub(crate) fn with(mut self, name: &'static str, answers: &[&[&str]]) -> Self {
        let parsed = answers.iter().map(|addresses| {
            let parsed = addresses.iter().map(|address| address.parse().unwrap());
            parsed.collect()
        });
        self.known.insert(name, parsed.collect());
        self
    }

    pub(crate) fn count(&self, name: &str) -> usize {
        self.asked.lock().unwrap().get(name).copied().unwrap_or(0)
    }
}

/// The table as a client asks it, shared with the test.
struct Shared(Arc<Names>);

#[async_trait]
impl Resolve for Shared {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let known = self.0.known.get(name).ok_or(io::ErrorKind::NotFound)?;
        let mut asked = self.0.asked.lock().unwrap();
        let count = asked.entry(name.to_owned()).or_default();
        let addresses = known[(*count).min(known.len() - 1)].clone();
        *count += 1;
        Ok(addresses)
    }
}

/// A client with a clock that stands still.
pub(crate) struct Client {
    pub(crate) outbound: Outbound,
    pub(crate) clock: FakeClock,
    pub(crate) names: Arc<Names>,
}

impl Client {
    /// One that goes nowhere inside, as it is by default.
    pub(crate) fn strict(names: Names) -> Self {
        Self::new(Policy::default(), names)
    }

    /// One that may do what an operator allows.
    pub(crate) fn with(policy: Policy, names: Names) -> Self {
        Self::new(policy, names)
    }

    /// One that may go to this machine.
    pub(crate) fn lenient(names: Names) -> Self {
        Self::new(
            Policy {
                allow_private_addresses: true,
                ..Policy::default()
            },
            names,
        )
    }

    fn new(policy: Policy, names: Names) -> Self {
        let (clock, names) = (FakeClock::default(), Arc::new(names));
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from_pem_slice(include_bytes!("tls/authority.pem"));
        roots.add(authority.unwrap()).unwrap();
        let outbound = Outbound::of(Parts {
            policy,
            clock: Arc::new(clock.clone()),
            resolver: Arc::new(Shared(Arc::clone(&names))),
            roots,
            user_agent: "Tests",
        });
        Self {
            outbound,
            clock,
            names,
        }
    }

    pub(crate) async fn get(&self, url: &str) -> Result<Answer, FetchError> {
        self.get_with(url, Redirects::Anywhere).await
    }

    pub(crate) async fn get_with(
        &self,
        url: &str,
        redirects: Redirects,
    ) -> Result<Answer, FetchError> {
        let url: Url = url.parse().unwrap();
        let get = Get {
            url: &url,
            accept: "text/html",
            deadline: DEADLINE,
            redirects,
        };
        self.outbound.get(get).await
    }

    /// The refusal of an address.
    pub(crate) async fn refusal(&self, url: &str) -> FetchError {
        match self.get(url).await {
            Ok(answer) => panic!("{url} was answered from {}", answer.url),
            Err(error) => error,
        }
    }

    /// All of a body.
    pub(crate) async fn text(&self, url: &str) -> String {
        let body = self.get(url).await.unwrap().read(100_000).await.unwrap();
        assert!(body.is_whole);
        String::from_utf8(body.bytes.to_vec()).unwrap()
    }
}

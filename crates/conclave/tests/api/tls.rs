//! TLS from files that change.

use std::{net::SocketAddr, path::Path, sync::Arc};

use conclave::{Node, Surroundings};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use testkit::{clock::FakeClock, eventually};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::http::{ask, configuration};

const FIRST: [&str; 2] = [
    include_str!("tls/first.cert.pem"),
    include_str!("tls/first.key.pem"),
];
const SECOND: [&str; 2] = [
    include_str!("tls/second.cert.pem"),
    include_str!("tls/second.key.pem"),
];

fn install(folder: &Path, [certificate, key]: [&str; 2]) {
    std::fs::write(folder.join("cert.pem"), certificate).unwrap();
    std::fs::write(folder.join("key.pem"), key).unwrap();
}

fn certificate([certificate, _]: [&str; 2]) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()
}

async fn start(folder: &Path, clock: &FakeClock) -> anyhow::Result<Node> {
    let keys = format!(
        "[server.tls]\ncert_file = {:?}\nkey_file = {:?}",
        folder.join("cert.pem"),
        folder.join("key.pem")
    );
    let loaded = configuration(&folder.join("data"), &keys);
    let surroundings = Surroundings {
        clock: Arc::new(clock.clone()),
        ..Surroundings::of_this_machine()
    };
    Node::start(&loaded, surroundings).await
}

async fn connect(address: SocketAddr, alpn: &[u8]) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate(FIRST)).unwrap();
    roots.add(certificate(SECOND)).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, stream).await.unwrap()
}

async fn shown(address: SocketAddr) -> CertificateDer<'static> {
    let stream = connect(address, b"http/1.1").await;
    let certificates = stream.get_ref().1.peer_certificates().unwrap();
    certificates[0].clone().into_owned()
}

#[tokio::test]
async fn a_node_with_a_certificate_speaks_https_and_offers_http_2() {
    let folder = tempfile::tempdir().unwrap();
    install(folder.path(), FIRST);
    let node = start(folder.path(), &FakeClock::default()).await.unwrap();
    assert!(node.public_url().starts_with("https://localhost:"));
    let address = node.addresses()[0];
    let stream = connect(address, b"http/1.1").await;
    assert_eq!(ask(stream, "/_conclave/health/ready").await.status, 200);
    let stream = connect(address, b"h2").await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    drop(stream);
    node.stop().await;
}

#[tokio::test]
async fn changed_files_are_shown_and_broken_ones_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let clock = FakeClock::default();
    install(folder.path(), FIRST);
    let node = start(folder.path(), &clock).await.unwrap();
    let address = node.addresses()[0];
    assert_eq!(shown(address).await, certificate(FIRST));

    // A certificate without its key, as between two copies.
    install(folder.path(), [SECOND[0], FIRST[1]]);
    node.reload_certificates();
    assert_eq!(shown(address).await, certificate(FIRST));
    install(folder.path(), ["", "no key"]);
    node.reload_certificates();
    assert_eq!(shown(address).await, certificate(FIRST));

    install(folder.path(), SECOND);
    eventually("the second certificate is shown by itself", || async {
        clock.advance(std::time::Duration::from_secs(5));
        (shown(address).await == certificate(SECOND)).then_some(())
    })
    .await;
    node.stop().await;
}

#[tokio::test]
async fn files_that_do_not_belong_together_are_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    install(folder.path(), [FIRST[0], SECOND[1]]);
    let refused = start(folder.path(), &FakeClock::default()).await;
    let sentence = format!("{:#}", refused.err().unwrap());
    assert!(sentence.contains("do not belong together"), "{sentence}");
    std::fs::remove_file(folder.path().join("key.pem")).unwrap();
    let refused = start(folder.path(), &FakeClock::default()).await;
    let sentence = format!("{:#}", refused.err().unwrap());
    assert!(sentence.contains("server.tls.key_file"), "{sentence}");
}

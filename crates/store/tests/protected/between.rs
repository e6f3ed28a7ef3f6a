//! Somebody stands between a node and PostgreSQL.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use rustls::{
    RootCertStore, ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use testkit::eventually;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::site::{PASSWORD, Site, encryption, open, refusal, url_at};

/// What a client asks first: whether the server speaks TLS.
const ASKS_FOR_TLS: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// What lets everybody in, and says that it waits for questions.
const LETS_IN: &[u8] = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";

/// Answers each connection with these bytes at once, reads on, and remembers what it was told.
async fn answering(answer: Vec<u8>) -> (u16, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (answer, told) = (answer.clone(), Arc::clone(&told));
            tokio::spawn(async move {
                stream.write_all(&answer).await.ok();
                let mut bytes = [0; 4_096];
                while let Ok(count @ 1..) = stream.read(&mut bytes).await {
                    told.lock().unwrap().extend_from_slice(&bytes[..count]);
                }
            });
        }
    });
    (port, heard)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_denies_tls_or_speaks_before_it_learns_nothing_and_is_not_believed() {
    for answer in [
        b"N".to_vec(),
        [&b"N"[..], LETS_IN].concat(),
        b"E\0\0\0\x08SFATAL".to_vec(),
        // Said in clear, to be taken for the server's first words over TLS.
        [&b"S"[..], LETS_IN].concat(),
        [
            b"S".to_vec(),
            vec![0x16, 3, 3, 0xff, 0xff],
            vec![b'x'; 70_000],
        ]
        .concat(),
        LETS_IN.to_vec(),
    ] {
        let begins = answer.first().map(|byte| char::from(*byte));
        let (port, heard) = answering(answer).await;
        let url = url_at(&format!("127.0.0.1:{port}"), "sslmode=verify-full");
        let told = refusal(open(&url).await);
        assert!(told.contains("TLS"), "{begins:?}: {told}");
        let heard = eventually("it has read what was asked", || async {
            let heard = heard.lock().unwrap().clone();
            (heard.len() >= ASKS_FOR_TLS.len()).then_some(heard)
        })
        .await;
        assert!(heard.starts_with(&ASKS_FOR_TLS), "{begins:?}");
        let rest = &heard[ASKS_FOR_TLS.len()..];
        // Nothing but the beginning of a handshake, and its end.
        assert!(rest.is_empty() || rest[0] == 0x16, "{begins:?}: {rest:?}");
        for secret in [PASSWORD, "conclave", "postgres\0"] {
            let is_told = heard
                .windows(secret.len())
                .any(|part| part == secret.as_bytes());
            assert!(!is_told, "{begins:?}: {secret}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_says_nothing_or_only_that_it_speaks_tls_is_given_up() {
    for answer in [Vec::new(), b"S".to_vec(), vec![b'S', 0x16, 3, 3]] {
        let (port, _) = answering(answer).await;
        let url = url_at(
            &format!("127.0.0.1:{port},127.0.0.1:{port}"),
            "sslmode=verify-full",
        );
        let opened = tokio::time::timeout(Duration::from_secs(30), open(&url)).await;
        let told = refusal(opened.expect("it is given up by itself"));
        assert!(told.contains("did not answer in time"), "{told}");
    }
}

/// Speaks TLS to both sides, with a certificate that is as good as the server's.
async fn pass_on(site: &Site, is_direct: bool) -> u16 {
    let issued = site.authority.issue(&["127.0.0.1"]);
    let chain = CertificateDer::from_pem_slice(issued.certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)
        .unwrap();
    config.alpn_protocols = vec![b"postgresql".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(site.authority.pem().as_bytes()).unwrap();
    roots.add(root).unwrap();
    let connector = TlsConnector::from(Arc::new(trust::client(roots)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, server) = (listener.local_addr().unwrap().port(), site.server.port());
    tokio::spawn(async move {
        while let Ok((mut node, _)) = listener.accept().await {
            let (acceptor, connector) = (acceptor.clone(), connector.clone());
            tokio::spawn(async move {
                if !is_direct {
                    node.read_exact(&mut [0; 8]).await?;
                    node.write_all(b"S").await?;
                }
                let mut node = acceptor.accept(node).await?;
                assert_eq!(node.get_ref().1.alpn_protocol(), Some(&b"postgresql"[..]));
                let mut behind = TcpStream::connect(("127.0.0.1", server)).await?;
                behind.write_all(&ASKS_FOR_TLS).await?;
                behind.read_exact(&mut [0]).await?;
                let name = ServerName::try_from("127.0.0.1").unwrap();
                let mut behind = connector.connect(name, behind).await?;
                copy_bidirectional(&mut node, &mut behind).await
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_passes_a_password_on_is_found_out_although_their_certificate_is_good() {
    let site = Site::new().await;
    let trusting = site.trusting();
    let between = format!("127.0.0.1:{}", pass_on(&site, false).await);
    for parameters in ["", "&channel_binding=require"] {
        let told = refusal(open(&url_at(&between, &format!("{trusting}{parameters}"))).await);
        assert!(told.contains("channel binding"), "{told}");
    }
    // That they pass it on well shows where nothing is bound.
    let unbound = url_at(&between, &format!("{trusting}&channel_binding=disable"));
    let database = open(&unbound).await.unwrap();
    assert_eq!(encryption(&database).await.0, "true");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_which_tls_is_the_first_word_is_spoken_to() {
    let site = Site::new().await;
    let direct = format!("127.0.0.1:{}", pass_on(&site, true).await);
    let parameters = format!(
        "{}&sslnegotiation=direct&channel_binding=disable",
        site.trusting()
    );
    let database = open(&url_at(&direct, &parameters)).await.unwrap();
    assert_eq!(encryption(&database).await.0, "true");
}

//! Who is let in, and by whom a node lets itself be spoken to.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use bus::{Bus, Credentials, Heard, Identity, NatsOptions};
use tempfile::TempDir;
use testkit::{
    authority::{Authority, Issued},
    servers::Nats,
};

use crate::{end, joined, node, options, signal, typing};

const AUTHORITY: &str = include_str!("tls/authority.pem");

/// Long enough for several attempts.
const ATTEMPTS: std::time::Duration = std::time::Duration::from_millis(1_500);

fn password(password: &str) -> Option<Credentials> {
    let (user, password) = ("conclave".to_owned(), password.to_owned().into());
    Some(Credentials::Password { user, password })
}

async fn assert_stays_out(options: &NatsOptions) {
    let bus = end(9, options);
    let mut listener = bus.subscribe();
    let heard = tokio::time::timeout(ATTEMPTS, listener.next()).await;
    assert!(heard.is_err(), "it was let in: {heard:?}");
}

async fn assert_meet(options: &NatsOptions) {
    let one = end(1, options);
    let other = one.beside(node(2));
    let (mut at_one, mut at_other) = (one.subscribe(), other.subscribe());
    joined(&mut at_one).await;
    joined(&mut at_other).await;
    one.publish(typing(1));
    assert_eq!(signal(&mut at_other).await, (one.node_id(), typing(1)));
}

#[tokio::test]
async fn a_password_lets_in_and_a_wrong_one_does_not() {
    let nats = Nats::start_with(&["--user", "conclave", "--pass", "p@ss:w/rd"]).unwrap();
    let with = |credentials| NatsOptions {
        credentials,
        ..options(&nats)
    };
    assert_meet(&with(password("p@ss:w/rd"))).await;
    assert_stays_out(&with(password("guess"))).await;
    assert_stays_out(&with(None)).await;
}

#[tokio::test]
async fn a_token_lets_in() {
    let nats = Nats::start_with(&["--auth", "s3cret"]).unwrap();
    let token = Some(Credentials::Token("s3cret".to_owned().into()));
    assert_meet(&NatsOptions {
        credentials: token,
        ..options(&nats)
    })
    .await;
}

#[tokio::test]
async fn no_secret_is_shown() {
    let nats = Nats::start().unwrap();
    for credentials in [
        password("s3cret"),
        Some(Credentials::Token("s3cret".to_owned().into())),
    ] {
        let options = NatsOptions {
            credentials,
            ..options(&nats)
        };
        let bus = Bus::nats(node(1), options.clone()).unwrap();
        let shown = format!("{options:?} {bus:?} {:#?}", bus.subscribe());
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}

#[tokio::test]
async fn what_is_no_address_is_refused() {
    let mut wrong = options(&Nats::start().unwrap());
    wrong.servers = vec!["nats host:4222".to_owned()];
    assert!(Bus::nats(node(1), wrong).is_err());
}

/// A NATS that insists on TLS, and the folder where its certificates are.
fn with_tls() -> (Nats, TempDir) {
    // The server runs as another user when this is root.
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let certificate = file("cert", include_str!("tls/nats.cert.pem"));
    let key = file("key", include_str!("tls/nats.key.pem"));
    file("authority", AUTHORITY);
    let nats = Nats::start_with(&["--tls", "--tlscert", &certificate, "--tlskey", &key]);
    (nats.unwrap(), folder)
}

fn over_tls(nats: &Nats, authority: Option<&Path>) -> NatsOptions {
    NatsOptions {
        tls: true,
        ca_file: authority.map(Path::to_owned),
        ..options(nats)
    }
}

#[tokio::test]
async fn nodes_meet_over_tls_with_a_certificate_they_were_told_to_trust() {
    let (nats, folder) = with_tls();
    assert_meet(&over_tls(&nats, Some(&folder.path().join("authority")))).await;
    assert_stays_out(&over_tls(&nats, None)).await;
}

#[tokio::test]
async fn where_tls_is_asked_for_nothing_is_said_without_it() {
    let nats = Nats::start().unwrap();
    assert_stays_out(&over_tls(&nats, None)).await;
    let bus = end(1, &options(&nats));
    let mut listener = bus.subscribe();
    assert_eq!(listener.next().await, Some(Heard::Joined));
}

/// Writes a certificate and its key where a node finds them.
fn identity(folder: &Path, name: &str, issued: &Issued) -> Identity {
    let [cert_file, key_file] = ["cert", "key"].map(|part| folder.join(format!("{name}.{part}")));
    fs::write(&cert_file, &issued.certificate).unwrap();
    fs::write(&key_file, &issued.key).unwrap();
    Identity {
        cert_file,
        key_file,
    }
}

#[tokio::test]
async fn a_nats_that_asks_for_certificates_lets_those_in_who_have_a_good_one() {
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let (authority, other) = (Authority::new("ours"), Authority::new("another"));
    let readable = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let shown = authority.issue(&["127.0.0.1"]);
    let certificate = readable("server.cert", &shown.certificate);
    let key = readable("server.key", &shown.key);
    let trusted = readable("authority", authority.pem());
    let asks = ["--tls", "--tlsverify", "--tlscacert", &trusted];
    let shows = ["--tlscert", &certificate, "--tlskey", &key];
    let nats = Nats::start_with(&[asks, shows].concat()).unwrap();
    let with = |identity| NatsOptions {
        identity,
        ..over_tls(&nats, Some(Path::new(&trusted)))
    };
    let good = identity(folder.path(), "good", &authority.issue_to("node1"));
    assert_meet(&with(Some(good))).await;
    assert_stays_out(&with(None)).await;
    let foreign = identity(folder.path(), "foreign", &other.issue_to("node1"));
    assert_stays_out(&with(Some(foreign))).await;
}

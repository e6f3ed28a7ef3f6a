//! NATS, S3 and the mail server.

use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt};

use testkit::{
    s3::{ACCESS_KEY_ID, S3Server, SECRET_ACCESS_KEY},
    server::{Engine, TestServer},
    servers::{Nats, Smtp, SmtpEncryption, SmtpOptions},
};

use super::{Report, certificates, examine};
use crate::program;

async fn of(keys: &[(&str, &str)]) -> Report {
    let server = TestServer::prepare_program(program(), Engine::Sqlite, keys).await;
    examine(&server).await
}

#[tokio::test]
async fn a_nats_server_that_is_away_is_named() {
    let one = Nats::start().unwrap();
    let mut two = Nats::start().unwrap();
    let both = format!("{},{}", one.url(), two.url().replace("nats://", ""));
    let away = two.url().replace("nats://", "");
    two.stop().unwrap();
    let report = of(&[("bus.url", &both)]).await;
    report.warns_only(&["data directory: ", "bus: "]).says(
        &format!("warning  bus: {away} cannot be used ("),
        "check that NATS runs",
    );
    let report = of(&[("bus.url", &two.url())]).await;
    report
        .is_wrong(1)
        .says(&format!("wrong    bus: {away} cannot be used ("), "");
}

#[tokio::test]
async fn a_nats_server_that_lets_nobody_in_is_told_without_the_password() {
    let nats = Nats::start_with(&["--user", "me", "--pass", "right"]).unwrap();
    let url = nats.url().replace("nats://", "nats://me:s3cret@");
    let report = of(&[("bus.url", &url)]).await;
    report
        .is_wrong(1)
        .says("wrong    bus: 127.0.0.1:", "uthorization")
        .hides("s3cret");
}

#[tokio::test]
async fn a_bucket_that_is_not_there_and_a_key_that_is_refused_are_told() {
    let s3 = S3Server::start().await;
    let nowhere = s3.url().replace("s3://files", "s3://nowhere");
    let mut keys = [
        ("files.url", &*nowhere),
        ("files.access_key_id", ACCESS_KEY_ID),
        ("files.secret_access_key", SECRET_ACCESS_KEY),
    ];
    let report = of(&keys).await;
    report.is_wrong(1).says(
        "wrong    files: files cannot be kept in the bucket nowhere",
        "make the bucket first",
    );
    let url = s3.url();
    keys[0].1 = &url;
    keys[2].1 = "another-s3cret";
    let report = of(&keys).await;
    report
        .is_wrong(1)
        .says("wrong    files: ", "check files.access_key_id")
        .hides("another-s3cret");
    assert!(s3.objects().is_empty());
}

#[tokio::test]
async fn the_mail_server_is_greeted_and_gets_no_mail() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = certificates::install(folder.path(), certificates::GOOD);
    // The mail server runs as somebody else.
    for path in [folder.path().to_str().unwrap(), &certificate, &key] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut smtp = Smtp::start(SmtpOptions {
        encryption: SmtpEncryption::StartTls,
        certificate: Some((&certificate, &key)),
        user: Some(("chat", "right")),
    })
    .unwrap();
    let port = smtp.port().to_string();
    let mut keys = [
        ("mail.host", "localhost"),
        ("mail.port", &*port),
        ("mail.from", "chat@example.org"),
        ("mail.ca_file", &*certificate),
        ("mail.user", "chat"),
        ("mail.password", "right"),
    ];
    let report = of(&keys).await;
    report.warns_only(&["data directory: "]).says(
        "ok       mail: localhost:",
        "lets it sign in; no mail was sent",
    );
    keys[5].1 = "s3cret";
    let report = of(&keys).await;
    report
        .is_wrong(1)
        .says("wrong    mail: ", "answered 535, at signing in")
        .hides("s3cret");
    smtp.stop().unwrap();
    let report = of(&keys).await;
    report.is_wrong(1).says("wrong    mail: ", "at connecting");
    assert!(smtp.mails().is_empty());
}

#[tokio::test]
async fn a_name_that_leads_nowhere_is_told() {
    let keys = [
        ("server.public_url", "http://chat.invalid"),
        ("bus.url", "nats://nats.invalid"),
    ];
    let report = of(&keys).await;
    report
        .is_wrong(2)
        .says("wrong    name: nats.invalid (bus.url) leads nowhere", "DNS")
        .says(
            "warning  name: chat.invalid (server.public_url) leads nowhere",
            "",
        )
        .says("wrong    bus: nats.invalid:4222 cannot be used", "");
}

/// A connection is accepted, and nothing comes of it.
#[tokio::test]
async fn servers_that_say_nothing_hold_nobody_up() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = silent.local_addr().unwrap().to_string();
    let s3 = format!("s3://files?endpoint=http://{place}&region=x");
    // Whoever runs the command here gives it thirty seconds.
    let report = of(&[
        ("database.url", &format!("postgres://me@{place}/chat")),
        ("bus.url", &format!("nats://{place}")),
        ("files.url", &s3),
        ("files.access_key_id", ACCESS_KEY_ID),
        ("files.secret_access_key", SECRET_ACCESS_KEY),
        ("mail.host", "127.0.0.1"),
        ("mail.port", &place.replace("127.0.0.1:", "")),
        ("mail.from", "chat@example.org"),
        ("server.public_url", &format!("https://{place}")),
    ])
    .await;
    report
        .is_wrong(4)
        .says("wrong    database: ", "no answer within 5 seconds")
        .says("wrong    bus: ", "no answer within 5 seconds")
        .says("wrong    files: ", "did not answer within 15 seconds")
        .says("wrong    mail: ", "took too long")
        .says("warning  certificate: ", "it does not answer in time")
        .says("ok       public address: ", "as no server runs here");
}

//! Certificates: in files, and as whoever connects is shown them.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Stdio};

use testkit::{
    eventually_within,
    server::{Engine, TestServer},
};
use tokio::process::Command;

use super::{Report, examine};
use crate::program;

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// For `localhost`, for a hundred years.
pub(super) const GOOD: [&str; 2] = [
    include_str!("../../api/tls/first.cert.pem"),
    include_str!("../../api/tls/first.key.pem"),
];

/// For `localhost`, in January 2025.
const EXPIRED: [&str; 2] = [
    include_str!("expired.cert.pem"),
    include_str!("expired.key.pem"),
];

/// For `chat.example.net`, for a hundred years.
const OTHER: [&str; 2] = [
    include_str!("other.cert.pem"),
    include_str!("other.key.pem"),
];

/// Puts a certificate and its key into a folder.
pub(super) fn install(folder: &Path, [certificate, key]: [&str; 2]) -> (String, String) {
    let (own, private) = (folder.join("cert.pem"), folder.join("key.pem"));
    fs::write(&own, certificate).unwrap();
    fs::write(&private, key).unwrap();
    fs::set_permissions(&private, fs::Permissions::from_mode(0o600)).unwrap();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    (text(&own), text(&private))
}

/// A place for a server with these files.
async fn with(folder: &Path, files: [&str; 2]) -> TestServer {
    let (certificate, key) = install(folder, files);
    let keys = [
        ("server.tls.cert_file", &*certificate),
        ("server.tls.key_file", &*key),
    ];
    TestServer::prepare_program(program(), Engine::Sqlite, &keys).await
}

#[tokio::test]
async fn files_are_judged_by_time_name_and_key() {
    let folder = tempfile::tempdir().unwrap();
    let server = with(folder.path(), EXPIRED).await;
    let part = "has expired on 2025-02-01T00:00:00Z";
    let report = examine(&server).await;
    report
        .is_wrong(1)
        .says("wrong    certificate: server.tls.cert_file ", part);

    install(folder.path(), OTHER);
    let part = "is not for localhost, the host of server.public_url (it is for chat.example.net";
    let report = examine(&server).await;
    report
        .is_wrong(1)
        .says("wrong    certificate: ", part)
        .says("ok       certificate: ", "is good until 2125-01-01");

    install(folder.path(), [GOOD[0], OTHER[1]]);
    let report = examine(&server).await;
    report
        .is_wrong(1)
        .says("wrong    certificate: ", "do not belong together");

    fs::remove_file(folder.path().join("key.pem")).unwrap();
    let report = examine(&server).await;
    report.is_wrong(1).says(
        "wrong    certificate: server.tls.key_file ",
        "cannot be read",
    );

    install(folder.path(), GOOD);
    let report = examine(&server).await;
    report
        .warns_only(&["data directory: ", "certificate: "])
        .says("ok       certificate: ", "is good until 2126-10-29")
        .says(
            "warning  certificate: nobody whom this machine trusts vouches for ",
            "",
        );
    let key = folder.path().join("key.pem");
    fs::set_permissions(key, fs::Permissions::from_mode(0o644)).unwrap();
    let part = "server.tls.key_file";
    let report = examine(&server).await;
    report.says(
        "warning  certificate: everybody on this machine may read ",
        part,
    );
}

/// What a server shows whom it is asked by, when this file vouches for it.
async fn shown(server: &TestServer, authorities: &Path) -> Report {
    let environment = [
        ("CONCLAVE__SERVER__DATA_DIR", server.data_dir()),
        (
            "CONCLAVE__SERVER__TLS__CERT_FILE",
            authorities.join("cert.pem"),
        ),
        (
            "CONCLAVE__SERVER__TLS__KEY_FILE",
            authorities.join("key.pem"),
        ),
        ("SSL_CERT_FILE", authorities.join("cert.pem")),
    ];
    let output = Command::new(program())
        .arg("doctor")
        .envs(environment)
        .env("CONCLAVE__SERVER__LISTEN", server.address().to_string())
        .current_dir(authorities)
        .stdin(Stdio::null())
        .output();
    Report::of(&output.await.unwrap())
}

#[tokio::test]
async fn what_a_running_server_shows_is_judged_and_its_answers_are_read() {
    for (files, is_good) in [(GOOD, true), (EXPIRED, false)] {
        let folder = tempfile::tempdir().unwrap();
        let mut server = with(folder.path(), files).await;
        server.launch();
        let report = eventually_within(PATIENCE, "the server shows its certificate", || async {
            let report = shown(&server, folder.path()).await;
            let has = |part: &str| report.lines.iter().any(|line| line.contains(part));
            let is_up = has("server: one runs") && has("shows");
            is_up.then_some(report)
        })
        .await;
        let port = server.address().port();
        if is_good {
            let line = format!("ok       certificate: the certificate that localhost:{port} shows");
            report
                .warns_only(&[])
                .says(&line, "is good until 2126-10-29")
                .says(
                    "ok       public address: https://localhost:",
                    "names itself",
                );
        } else {
            let line = format!("wrong    certificate: the certificate that localhost:{port} shows");
            report.is_wrong(2).says(&line, "has expired").says(
                "warning  public address: https://localhost:",
                "does not answer",
            );
        }
        server.stop().await;
    }
}

//! The data directory belongs to one server.

use std::os::unix::fs::PermissionsExt;

use testkit::server::Engine;

use crate::{refusal, server};

#[tokio::test]
async fn a_second_server_on_the_same_data_directory_is_refused() {
    let server = server(Engine::Sqlite).await;
    let second = server.command(&["serve", "--listen", "127.0.0.1:0"], "");
    let sentence = refusal(&second.await);
    assert!(
        sentence.starts_with("another server (process "),
        "{sentence}"
    );
    assert!(sentence.contains("--data-dir"), "{sentence}");
}

#[tokio::test]
async fn everything_that_matters_is_the_owners_alone() {
    let server = server(Engine::Sqlite).await;
    let mode = |path: &std::path::Path| {
        let metadata = std::fs::metadata(path).unwrap();
        metadata.permissions().mode() & 0o777
    };
    assert_eq!(mode(&server.data_dir()), 0o700);
    for name in ["conclave.db", "master.key", "conclave.lock"] {
        assert_eq!(mode(&server.data_dir().join(name)), 0o600, "{name}");
    }
}

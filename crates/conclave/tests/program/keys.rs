//! A server that must not open a database refuses before anything is touched.

use std::{collections::BTreeMap, path::Path};

use testkit::server::{Engine, TestServer};

use crate::{printed, refusal, server};

const ANOTHER_KEY: &str = "conclave-master-key-1:QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=\n";

/// A stopped server that somebody has used.
async fn used() -> TestServer {
    let mut server = server(Engine::Sqlite).await;
    let create = ["user", "create", "alice"];
    printed(&server.command(&create, "correct horse\n").await);
    server.stop().await;
    server
}

/// What is in a data directory, but for the locks and SQLite's shared memory: readers write there.
fn content(data_dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(data_dir).unwrap();
    entries
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_file())
        .map(|entry| (entry.file_name().into_string().unwrap(), entry.path()))
        .filter(|(name, _)| !name.ends_with(".lock") && !name.ends_with("-shm"))
        .map(|(name, path)| (name, std::fs::read(path).unwrap()))
        .collect()
}

/// Starts, is refused, and has changed nothing.
async fn is_refused(server: &TestServer, part_of_sentence: &str) {
    let before = content(&server.data_dir());
    let sentence = refusal(&server.command(&["serve"], "").await);
    assert!(sentence.contains(part_of_sentence), "{sentence}");
    let after = content(&server.data_dir());
    let names = |content: &BTreeMap<String, Vec<u8>>| content.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&before), names(&after));
    assert!(before == after, "a file was changed");
}

#[tokio::test]
async fn a_wrong_key_is_refused_and_nothing_is_touched() {
    let server = used().await;
    std::fs::write(server.data_dir().join("master.key"), ANOTHER_KEY).unwrap();
    is_refused(
        &server,
        "is not the master key that this database was sealed with",
    )
    .await;
}

#[tokio::test]
async fn a_missing_key_is_refused_and_none_is_made() {
    let server = used().await;
    std::fs::remove_file(server.data_dir().join("master.key")).unwrap();
    is_refused(&server, "restore the file from your backup of keys").await;
}

#[tokio::test]
async fn a_key_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;

    let server = used().await;
    let key = server.data_dir().join("master.key");
    std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o644)).unwrap();
    is_refused(&server, "run chmod 600 on it").await;
}

#[tokio::test]
async fn a_schema_newer_than_the_program_is_refused() {
    let server = used().await;
    let database = rusqlite::Connection::open(server.data_dir().join("conclave.db")).unwrap();
    let later = "INSERT INTO schema_migrations (owner, number, name) VALUES ('rooms', 999, 'x')";
    database.execute(later, []).unwrap();
    drop(database);
    let sentence = refusal(&server.command(&["serve"], "").await);
    assert!(sentence.contains("newer than this program"), "{sentence}");
}

#[tokio::test]
async fn another_name_is_refused() {
    let mut server = used().await;
    server.set("server.name", "example.org");
    let sentence = refusal(&server.command(&["serve"], "").await);
    assert!(sentence.contains("can never change"), "{sentence}");
}

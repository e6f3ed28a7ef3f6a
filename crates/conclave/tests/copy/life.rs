//! Copies without a running server, and what the folder of a copy is like.

use std::{fs, os::unix::fs::PermissionsExt};

use testkit::server::Engine;

use crate::places::{Shelf, back_up, place, printed, refusal, restore, server, with_user};

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_made_without_a_running_server_too() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let shelf = Shelf::new();
        let mut source = server(engine).await;
        let alice = with_user(&source, "alice").await;
        let file = alice.upload(b"kept").await.unwrap();
        source.stop().await;
        let folder = shelf.path("copy");
        let said = back_up(&source, &folder).await;
        assert!(said.contains("1 files"), "{said}");
        let mut target = place(engine, &source).await;
        printed(&restore(&target, &folder).await);
        target.restart().await;
        let kept = alice.at(target.address()).download(&file).await.unwrap();
        assert_eq!(kept, b"kept");
        target.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_its_owners_alone_and_sha256sum_reads_its_list() {
    let shelf = Shelf::new();
    let source = server(Engine::Sqlite).await;
    let alice = with_user(&source, "alice").await;
    alice.upload(b"one").await.unwrap();
    alice.upload(b"two").await.unwrap();
    let folder = shelf.path("copy");
    back_up(&source, &folder).await;
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for name in [
        "manifest.json",
        "database.sqlite3",
        "keyring.sqlite3",
        "files.sha256",
    ] {
        assert_eq!(mode(&folder.join(name)), 0o600, "{name}");
    }
    let checked = std::process::Command::new("sha256sum")
        .args(["--check", "--strict", "--quiet", "files.sha256"])
        .current_dir(&folder)
        .status();
    assert!(checked.unwrap().success());
    // The master key is nowhere in it, and neither are what it is written as and its bytes.
    let key = fs::read_to_string(source.data_dir().join("master.key")).unwrap();
    let key = key.trim().rsplit(':').next().unwrap().to_owned();
    let raw = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, &key).unwrap();
    for name in ["manifest.json", "database.sqlite3", "keyring.sqlite3"] {
        let bytes = fs::read(folder.join(name)).unwrap();
        let holds = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
        assert!(!holds(key.as_bytes()) && !holds(&raw), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_copy_is_written_over() {
    let shelf = Shelf::new();
    let source = server(Engine::Sqlite).await;
    let folder = shelf.path("copy");
    back_up(&source, &folder).await;
    let before = fs::read(folder.join("manifest.json")).unwrap();
    let again = ["backup", folder.to_str().unwrap()];
    let sentence = refusal(&source.command(&again, "").await);
    assert!(sentence.contains("is not empty"), "{sentence}");
    assert_eq!(fs::read(folder.join("manifest.json")).unwrap(), before);
    let nowhere = shelf.path("a/b/c");
    let nowhere = ["backup", nowhere.to_str().unwrap()];
    let sentence = refusal(&source.command(&nowhere, "").await);
    assert!(sentence.contains("cannot make the folder"), "{sentence}");
    let usage = source.command(&["backup"], "").await;
    assert_eq!(usage.status.code(), Some(2));
}

/// A copy that is restored twice makes two histories: a token of the one is none of the other.
#[tokio::test(flavor = "multi_thread")]
async fn two_restores_of_one_copy_begin_two_epochs() {
    let shelf = Shelf::new();
    let source = server(Engine::Sqlite).await;
    let alice = with_user(&source, "alice").await;
    let folder = shelf.path("copy");
    back_up(&source, &folder).await;
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let mut target = place(Engine::Sqlite, &source).await;
        printed(&restore(&target, &folder).await);
        target.restart().await;
        let path = "/_matrix/client/v3/sync?timeout=0";
        let at = alice.at(target.address());
        let answer = at.ask("GET", path, &serde_json::Value::Null).await.unwrap();
        let token = answer["next_batch"].as_str().unwrap().to_owned();
        tokens.push(token.split('_').nth(1).unwrap().to_owned());
        target.stop().await;
    }
    assert_ne!(tokens[0], tokens[1]);
}

//! Copies that are not whole, keys that do not fit, places that are not empty, and restores that
//! were interrupted.

use std::{fs, os::unix::fs::PermissionsExt};

use testkit::server::Engine;

use crate::places::{
    Shelf, back_up, content, empty_place, key, place, printed, refusal, restore, server, with_user,
};

const ANOTHER_KEY: &str = "conclave-master-key-1:QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_or_missing_key_is_refused_and_the_right_one_is_named() {
    let shelf = Shelf::new();
    let source = server(Engine::Sqlite).await;
    let folder = shelf.path("copy");
    let said = back_up(&source, &folder).await;
    let (_, named) = said.split_once("master key ").unwrap();
    let fingerprint = named.split(' ').next().unwrap();
    assert_eq!(fingerprint.len(), 16, "{said}");
    let target = empty_place(Engine::Sqlite).await;
    let sentence = refusal(&restore(&target, &folder).await);
    assert!(sentence.contains(fingerprint), "{sentence}");
    assert!(sentence.contains("is missing"), "{sentence}");
    assert!(content(&target).is_empty(), "no key is made");
    fs::write(key(&target), ANOTHER_KEY).unwrap();
    fs::set_permissions(key(&target), fs::Permissions::from_mode(0o600)).unwrap();
    let sentence = refusal(&restore(&target, &folder).await);
    assert!(sentence.contains(fingerprint), "{sentence}");
    assert!(sentence.contains("point seal.key_file"), "{sentence}");
    assert_eq!(content(&target), ["master.key"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_copy_is_no_copy() {
    let shelf = Shelf::new();
    let source = server(Engine::Sqlite).await;
    let folder = shelf.path("copy");
    back_up(&source, &folder).await;
    // The manifest is what is written last.
    let path = folder.join("manifest.json");
    fs::rename(&path, folder.join("manifest.json.part")).unwrap();
    let target = place(Engine::Sqlite, &source).await;
    let sentence = refusal(&restore(&target, &folder).await);
    assert!(sentence.contains("holds no finished copy"), "{sentence}");
    let sentence = refusal(&restore(&target, &shelf.path("nowhere")).await);
    assert!(sentence.contains("there is no folder"), "{sentence}");
    assert_eq!(content(&target), ["master.key"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_holds_something_is_left_as_it_is() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let shelf = Shelf::new();
        let mut source = server(engine).await;
        let alice = with_user(&source, "alice").await;
        let folder = shelf.path("copy");
        back_up(&source, &folder).await;
        // Beside the running server, and without it.
        let sentence = refusal(&restore(&source, &folder).await);
        assert!(
            sentence.contains("holds a deployment already"),
            "{sentence}"
        );
        source.stop().await;
        let sentence = refusal(&restore(&source, &folder).await);
        assert!(
            sentence.contains("holds a deployment already"),
            "{sentence}"
        );
        source.restart().await;
        alice.upload(b"still here").await.unwrap();

        let target = place(engine, &source).await;
        let shelf = target.data_dir().join("files/ab/cd");
        fs::create_dir_all(&shelf).unwrap();
        fs::write(shelf.join("abcd2233445566778899aabbccddeeff"), b"mine").unwrap();
        let sentence = refusal(&restore(&target, &folder).await);
        assert!(sentence.contains("holds files already"), "{sentence}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_name_is_refused() {
    let shelf = Shelf::new();
    let source = server(Engine::Sqlite).await;
    let folder = shelf.path("copy");
    back_up(&source, &folder).await;
    let mut target = place(Engine::Sqlite, &source).await;
    target.set("server.name", "example.org");
    let sentence = refusal(&restore(&target, &folder).await);
    assert!(sentence.contains("set server.name"), "{sentence}");
    assert_eq!(content(&target), ["master.key"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_interrupted_restore_has_left_does_not_start_and_is_restored_again() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let shelf = Shelf::new();
        let source = server(engine).await;
        let alice = with_user(&source, "alice").await;
        let file = alice.upload(b"a file").await.unwrap();
        let folder = shelf.path("copy");
        back_up(&source, &folder).await;
        let mut target = place(engine, &source).await;
        // A file where the folder of the blob must be: the rows are there by then.
        let list = fs::read_to_string(folder.join("files.sha256")).unwrap();
        let first_level = &list.split_once("files/").unwrap().1[..2];
        let files = target.data_dir().join("files");
        fs::create_dir(&files).unwrap();
        fs::write(files.join(first_level), b"").unwrap();
        let sentence = refusal(&restore(&target, &folder).await);
        assert!(
            sentence.contains("the restore was not finished"),
            "{sentence}"
        );
        for command in [&["serve"][..], &["user", "list"], &["audit", "verify"]] {
            let sentence = refusal(&target.command(command, "").await);
            assert!(
                sentence.contains("`conclave restore`"),
                "{command:?}: {sentence}"
            );
        }
        fs::remove_file(files.join(first_level)).unwrap();
        printed(&restore(&target, &folder).await);
        target.restart().await;
        let kept = alice.at(target.address()).download(&file).await.unwrap();
        assert_eq!(kept, b"a file");
        target.stop().await;
    }
}

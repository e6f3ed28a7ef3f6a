//! One flipped byte anywhere in a copy is found, by name, and nothing is restored.

use std::{
    fs,
    path::{Path, PathBuf},
};

use testkit::server::{Engine, TestServer};

use crate::places::{Shelf, back_up, content, place, printed, refusal, restore, server, with_user};

/// Flips one bit of a file while this lives.
struct Flipped {
    path: PathBuf,
    before: Vec<u8>,
}

impl Flipped {
    fn at(path: PathBuf, place: impl Fn(usize) -> usize) -> Self {
        let before = fs::read(&path).unwrap();
        let mut after = before.clone();
        after[place(before.len())] ^= 1;
        fs::write(&path, after).unwrap();
        Self { path, before }
    }
}

impl Drop for Flipped {
    fn drop(&mut self) {
        fs::write(&self.path, &self.before).unwrap();
    }
}

/// The first blob of a copy, by its path in it.
fn a_blob(folder: &Path) -> String {
    let list = fs::read_to_string(folder.join("files.sha256")).unwrap();
    let line = list.lines().next().unwrap();
    line.split_once("  ").unwrap().1.to_owned()
}

async fn is_refused(target: &TestServer, folder: &Path, named: &str) {
    let verified = target
        .command(&["backup", "--verify", folder.to_str().unwrap()], "")
        .await;
    let sentence = refusal(&verified);
    assert!(sentence.contains(named), "{named}: {sentence}");
    let sentence = refusal(&restore(target, folder).await);
    assert!(sentence.contains(named), "{named}: {sentence}");
    assert_eq!(
        content(target),
        ["master.key"],
        "{named}: something was written"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_flipped_byte_in_any_file_is_refused_by_name() {
    let shelf = Shelf::new();
    let source = server(Engine::Sqlite).await;
    let alice = with_user(&source, "alice").await;
    alice.upload(&vec![7; 200_000]).await.unwrap();
    let folder = shelf.path("copy");
    back_up(&source, &folder).await;
    let target = place(Engine::Sqlite, &source).await;
    let blob = a_blob(&folder);
    let files = [
        "manifest.json",
        "database.sqlite3",
        "keyring.sqlite3",
        "files.sha256",
        &blob,
    ];
    let places: [fn(usize) -> usize; 3] = [|_| 0, |length| length / 2, |length| length - 1];
    for file in files {
        for place in places {
            let _flipped = Flipped::at(folder.join(file), place);
            is_refused(&target, &folder, file).await;
        }
        let away = shelf.path("away");
        fs::rename(folder.join(file), &away).unwrap();
        is_refused(&target, &folder, file).await;
        fs::rename(&away, folder.join(file)).unwrap();
    }
    printed(&restore(&target, &folder).await);
}

/// Whoever alters a copy can make all digests anew, but not vouch for them.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_was_made_anew_without_the_key_is_refused() {
    let shelf = Shelf::new();
    let source = server(Engine::Sqlite).await;
    let folder = shelf.path("copy");
    back_up(&source, &folder).await;
    let path = folder.join("manifest.json");
    let text = fs::read_to_string(&path).unwrap();
    let mut manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
    let digest = manifest["digest"].as_str().unwrap().to_owned();
    manifest["head"] = 1_000.into();
    // The manifest as it is written, without digest and proof, is what the digest covers.
    let head = text.find("\"head\":").unwrap();
    let end = head + text[head..].find(',').unwrap();
    let altered = format!("{}\"head\": 1000{}", &text[..head], &text[end..]);
    let proof = manifest["proof"].as_str().unwrap();
    let body = altered.replace(&digest, "").replace(proof, "");
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body.as_bytes());
    let hash: String = hash
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    fs::write(&path, altered.replace(&digest, &hash)).unwrap();
    let target = place(Engine::Sqlite, &source).await;
    let sentence = refusal(&restore(&target, &folder).await);
    assert!(sentence.contains("does not vouch"), "{sentence}");
    assert_eq!(content(&target), ["master.key"]);
}

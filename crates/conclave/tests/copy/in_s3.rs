//! A deployment whose files are in S3: on every node, while S3 is away, and through a copy.

use std::{fs, path::Path};

use serde_json::json;
use testkit::{
    s3::{ACCESS_KEY_ID, S3Server, SECRET_ACCESS_KEY},
    server::{Engine, TestServer},
};

use crate::{
    places::{
        Shelf, back_up, empty_place, key, place, printed, program, refusal, restore, with_user,
    },
    support::Client,
};

/// A GIF of two grey pixels beside each other.
const PICTURE: &[u8] =
    b"GIF89a\x02\0\x01\0\x80\0\0\x99\x99\x99\0\0\0,\0\0\0\0\x02\0\x01\0\0\x02\x02\x04\n\0;";

/// More than S3 takes at once.
const LONG: usize = 10_000_000;

/// The keys of a configuration whose files are in this bucket.
fn keys(server: &S3Server, prefix: &str) -> Vec<(&'static str, String)> {
    vec![
        ("files.url", format!("{}&prefix={prefix}", server.url())),
        ("files.access_key_id", ACCESS_KEY_ID.to_owned()),
        ("files.secret_access_key", SECRET_ACCESS_KEY.to_owned()),
    ]
}

fn configure(server: &mut TestServer, keys: &[(&'static str, String)]) {
    for (key, value) in keys {
        server.set(key, value);
    }
}

impl Client {
    /// The same session, whose requests carry this header.
    fn with_header(&self, name: &str, value: &str) -> Self {
        let mut client = Self::anonymous(self.address(), &[(name, value)]);
        client.token.clone_from(&self.token);
        client
    }
}

/// What was uploaded, and what it is.
struct Uploaded {
    long: (String, Vec<u8>),
    picture: String,
}

impl Uploaded {
    async fn by(client: &Client) -> Self {
        let content: Vec<u8> = (0..LONG).map(|at| (at * 31 % 251) as u8).collect();
        let long = client.upload(&content).await.unwrap();
        let picture = client.upload(PICTURE).await.unwrap();
        Self {
            long: (long, content),
            picture,
        }
    }

    /// Whether all of it is there for this person, the thumbnail too.
    async fn is_there(&self, client: &Client) {
        let (file, content) = &self.long;
        assert!(&client.download(file).await.unwrap() == content);
        let part = client.with_header("Range", "bytes=7000000-7000099");
        let part = part.download(file).await.unwrap();
        assert_eq!(part, content[7_000_000..7_000_100]);
        let picture = self.picture.strip_prefix("mxc://").unwrap();
        let path =
            format!("/_matrix/client/v1/media/thumbnail/{picture}?width=32&height=32&method=crop");
        let thumbnail = client.send("GET", &path, "", &[]).await.unwrap();
        assert!(thumbnail.starts_with(b"\x89PNG"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_in_s3_on_every_node_and_copies_go_there_and_back() {
    let mut s3 = S3Server::start().await;
    let mut one = TestServer::prepare_program(program(), Engine::Postgres, &[]).await;
    configure(&mut one, &keys(&s3, "first"));
    one.restart().await;
    let alice = with_user(&one, "alice").await;
    let uploaded = Uploaded::by(&alice).await;
    uploaded.is_there(&alice).await;
    // Two files and a thumbnail, sealed, and nothing in the data directory.
    assert_eq!(s3.objects().len(), 3);
    let is_readable = s3.objects().iter().any(|object| {
        let content = fs::read(object).unwrap();
        content.starts_with(b"GIF") || content.starts_with(b"\x89PNG")
    });
    assert!(!is_readable);
    assert!(!one.data_dir().join("files").exists());

    let mut other = TestServer::prepare_program(program(), Engine::Sqlite, &[]).await;
    configure(&mut other, &keys(&s3, "first"));
    other.set("database.url", one.database_url().unwrap());
    other.set("seal.key_file", key(&one).to_str().unwrap());
    other.restart().await;
    uploaded.is_there(&alice.at(other.address())).await;
    other.stop().await;

    while_it_is_away(&mut s3, &alice, &uploaded).await;

    let shelf = Shelf::new();
    let folder = shelf.path("copy");
    back_up(&one, &folder).await;
    let held = fs::read_to_string(folder.join("files.sha256")).unwrap();
    assert_eq!(held.lines().count(), 3);
    one.stop().await;
    is_restored(&one, &s3, (&folder, &alice, &uploaded)).await;
}

/// Messages go on without S3, and files when it is back.
async fn while_it_is_away(s3: &mut S3Server, alice: &Client, uploaded: &Uploaded) {
    s3.stop();
    let failed = alice.download(&uploaded.long.0).await.unwrap_err();
    assert!(failed.to_string().contains(" 500 "), "{failed}");
    let failed = alice.upload(b"lost").await.unwrap_err();
    assert!(failed.to_string().contains(" 500 "), "{failed}");
    let (path, room) = ("/_matrix/client/v3/createRoom", json!({}));
    alice.ask("POST", path, &room).await.unwrap();
    s3.restart().await;
    uploaded.is_there(alice).await;
    assert_eq!((s3.objects().len(), s3.unfinished()), (3, 0));
}

async fn is_restored(
    one: &TestServer,
    s3: &S3Server,
    (folder, alice, uploaded): (&Path, &Client, &Uploaded),
) {
    // Where files are already, none are put among them.
    let mut taken = place(Engine::Sqlite, one).await;
    configure(&mut taken, &keys(s3, "first"));
    let sentence = refusal(&restore(&taken, folder).await);
    assert!(
        sentence.contains("below first/ holds files already"),
        "{sentence}"
    );

    let mut in_s3 = place(Engine::Sqlite, one).await;
    configure(&mut in_s3, &keys(s3, "second"));
    let mut in_folder = place(Engine::Sqlite, one).await;
    for target in [&mut in_s3, &mut in_folder] {
        printed(&restore(target, folder).await);
        target.restart().await;
        uploaded.is_there(&alice.at(target.address())).await;
        target.stop().await;
    }
    assert_eq!(s3.objects().len(), 6);
    assert!(in_folder.data_dir().join("files").exists());
    assert!(!in_s3.data_dir().join("files").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_does_not_start_on_a_bucket_that_it_cannot_use() {
    let mut s3 = S3Server::start().await;
    let mut server = empty_place(Engine::Sqlite).await;
    configure(&mut server, &keys(&s3, "first"));
    server.set("files.secret_access_key", "another-key-of-s3");
    let sentence = refusal(&server.command(&["serve"], "").await);
    for part in [
        "the bucket files",
        "SignatureDoesNotMatch",
        "files.secret_access_key",
    ] {
        assert!(sentence.contains(part), "{part}: {sentence}");
    }
    assert!(!sentence.contains("another-key-of-s3"), "{sentence}");
    s3.stop();
    let sentence = refusal(&server.command(&["serve"], "").await);
    assert!(sentence.contains("check that it runs"), "{sentence}");
}

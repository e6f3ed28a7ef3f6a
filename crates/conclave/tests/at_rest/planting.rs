//! Plants a word in everything that people, their programs and operators write.

mod encryption;
mod failures;
mod files;
mod kept;
mod mail;
mod people;
mod previews;
mod rooms;
mod sessions;

use serde_json::Value;
use testkit::{server::TestServer, servers::Smtp};
use tokio::net::TcpStream;

pub(crate) use self::failures::ask_in_vain;
use crate::{
    kinds::kinds,
    markers::{Markers, word},
    support::Client,
};

/// What tools register with; the server is configured with it and stores it nowhere.
pub(crate) const SHARED_SECRET: &str = "qmzvgwnexyrfbkpohtasdlcj";

const V3: &str = "/_matrix/client/v3";

/// What stands in the server besides the markers.
pub(crate) struct Planted {
    /// Words in columns that are documented as readable; the last one was written last.
    pub(crate) readable: Vec<(&'static str, String)>,
    /// How many files were stored.
    pub(crate) files: usize,
    /// An upload that has not ended.
    pub(crate) upload: TcpStream,
    /// Somebody who is signed in.
    pub(crate) person: Client,
    /// A room of theirs.
    pub(crate) room: String,
}

pub(crate) async fn plant(server: &TestServer, smtp: &Smtp, markers: &mut Markers) -> Planted {
    markers.add("the shared secret", SHARED_SECRET);
    sessions::setup_link(server, markers).await;
    let (mut alice, password) = people::register(server, markers).await;
    let (bob, _) = people::register(server, markers).await;
    people::account(&alice, markers).await;
    mail::mail(&alice, &password, smtp, markers).await;
    people::made_otherwise(server, markers).await;
    let room = rooms::rooms(&alice, &bob, markers).await;
    let kind = kept::kept(&alice, &room, markers).await;
    encryption::keys(&alice, &bob, markers).await;
    encryption::to_device(&alice, &bob, markers).await;
    let session = encryption::backup(&alice, &room, markers).await;
    let files = files::files(&alice, markers).await + previews::previews(&alice, markers).await;
    sessions::sessions(&mut alice, &password, server, markers).await;
    failures::refused(&alice, server, markers).await;
    failures::broken_off(&alice, &room, server, markers).await;
    let upload = files::begin_upload(server, &alice, markers).await;
    let mut planted = markers.planted();
    planted.insert(failures::IN_VAIN);
    assert_eq!(planted, kinds(), "every kind is planted");
    let state_key = word();
    rooms::state(&alice, &room, "org.example.last", &state_key).await;
    Planted {
        readable: vec![
            ("a user name", name_of(&alice).to_owned()),
            ("a type of account data", kind),
            ("the id of a session in a backup", session),
            ("a state key", state_key),
        ],
        files,
        upload,
        person: alice,
        room,
    }
}

/// Asks, and fails with the sentence of a refusal.
async fn ask(who: &Client, method: &str, path: &str, body: Value) -> Value {
    let path = format!("{V3}/{path}");
    match who.ask(method, &path, &body).await {
        Ok(answer) => answer,
        Err(error) => panic!("{method} {path}: {error}"),
    }
}

fn text<'a>(answer: &'a Value, key: &str) -> &'a str {
    answer[key].as_str().unwrap()
}

/// The name before the colon.
fn name_of(who: &Client) -> &str {
    let name = who.user_id.trim_start_matches('@');
    name.split_once(':').unwrap().0
}

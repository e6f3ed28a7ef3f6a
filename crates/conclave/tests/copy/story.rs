//! Everything that was acknowledged before a copy is in it, it is one moment of what goes on
//! meanwhile, and clients of a later history are told to start again.

use std::{collections::HashMap, net::SocketAddr, path::Path, sync::Arc};

use serde_json::{Value, json};
use testkit::server::{Engine, TestServer};

use crate::{
    acts::{say, sync, upload_keys},
    load::Load,
    places::{Shelf, back_up, place, printed, restore, server, with_user},
    scene::Scene,
    support::Client,
    writers::{Acknowledged, Writers},
};

/// How many connections write at once.
const WRITERS: usize = 12;

/// How much is answered, at least, before and while the copy is made.
const ANSWERS: usize = 120;

/// One person, their other device, and their room.
struct Person {
    client: Client,
    other: Client,
    room: String,
}

impl Person {
    async fn come(server: &TestServer, name: &str) -> Self {
        let client = with_user(server, name).await;
        let password = crate::places::PASSWORD;
        let other = Client::sign_in(server.address(), name, password).await;
        let room = json!({ "preset": "public_chat" });
        let room = client
            .ask("POST", "/_matrix/client/v3/createRoom", &room)
            .await;
        let room = room.unwrap()["room_id"].as_str().unwrap().to_owned();
        Self {
            client,
            other,
            room,
        }
    }

    /// The same person, at a server that listens elsewhere.
    fn at(&self, address: SocketAddr) -> Self {
        Self {
            client: self.client.at(address),
            other: self.other.at(address),
            room: self.room.clone(),
        }
    }

    /// Writes without pause; the stranger is refused what they try.
    fn write(&self, stranger: &Client, load: &Arc<Load>) -> Writers {
        let Self {
            client,
            other,
            room,
        } = self.at(self.client.address());
        let scene = Arc::new(Scene {
            room,
            alice: client,
            away: other,
            bob: stranger.at(stranger.address()),
            outsider: stranger.at(stranger.address()),
        });
        Writers::start(&scene, load, WRITERS)
    }
}

pub(crate) async fn is_restored(from: Engine, to: Engine) {
    let shelf = Shelf::new();
    let folder = shelf.path("copy");
    let mut source = server(from).await;
    let (alice, bob) = (
        Person::come(&source, "alice").await,
        Person::come(&source, "bob").await,
    );
    // They share a room, so each hears of the other's devices.
    let join = format!("/_matrix/client/v3/join/{}", alice.room);
    bob.client.ask("POST", &join, &json!({})).await.unwrap();
    upload_keys(&alice.client).await;
    let carol = with_user(&source, "carol").await;

    let load = Arc::new(Load::default());
    let writers = alice.write(&carol, &load);
    load.wait_for(ANSWERS).await;
    let before = writers.finish(&load).await;

    // Bob does not stop for the copy.
    let load = Arc::new(Load::default());
    let writers = bob.write(&carol, &load);
    load.wait_for(ANSWERS).await;
    back_up(&source, &folder).await;
    load.wait_for(ANSWERS / 4).await;
    let meanwhile = writers.finish(&load).await;
    for told in [&before, &meanwhile] {
        assert_eq!(told.granted, []);
        assert!(told.blamed.is_empty(), "{:?}", told.blamed);
    }
    let whole = bob.client.timeline(&bob.room).await;

    // What is lost, and the token of a client that knows of it.
    let lost = say(&alice.client, &alice.room, "lost").await;
    let since = sync(&alice.client, None).await;
    let token = since["next_batch"].as_str().unwrap().to_owned();
    source.stop().await;

    let mut target = place(to, &source).await;
    printed(
        &target
            .command(&["backup", "--verify", shown(&folder)], "")
            .await,
    );
    printed(&restore(&target, &folder).await);
    target.restart().await;
    let at = target.address();
    let (alice, bob) = (alice.at(at), bob.at(at));
    what_was_acknowledged_is_there(&alice, &before).await;
    it_is_one_moment(&bob, &meanwhile, &whole).await;
    a_later_client_starts_again(&alice, &bob, &token, &lost).await;
    the_server_writes_on(&target, &alice, &shelf).await;
    target.stop().await;
}

fn shown(folder: &Path) -> &str {
    folder.to_str().unwrap()
}

async fn what_was_acknowledged_is_there(alice: &Person, before: &Acknowledged) {
    let client = &alice.client;
    let timeline = client.timeline(&alice.room).await;
    let places: HashMap<&str, usize> = timeline
        .iter()
        .enumerate()
        .map(|(place, (event_id, _))| (event_id.as_str(), place))
        .collect();
    let mut last: HashMap<&str, usize> = HashMap::new();
    for message in &before.messages {
        let place = places.get(message.event_id.as_str());
        let place = *place.unwrap_or_else(|| panic!("{} is lost", message.body));
        assert_eq!(timeline[place].1, message.body);
        let (writer, _) = message.transaction.split_once('-').unwrap();
        assert!(
            last.insert(writer, place)
                .is_none_or(|before| before < place)
        );
    }
    for (writer, count) in &before.counts {
        assert_eq!(client.account_data(*writer).await, Some(*count));
    }
    for (file, content) in &before.files {
        assert_eq!(&client.download(file).await.unwrap(), content, "{file}");
    }
    let mut noted = alice.other.sent_to_device().await;
    let mut expected = before.to_device.concat();
    noted.sort();
    expected.sort();
    assert_eq!(noted, expected);
    let read = client.receipts(&alice.room).await;
    for (thread, event_id) in &before.read {
        let stands = read.get(thread).map(|event_id| places[event_id.as_str()]);
        assert!(stands >= Some(places[event_id.as_str()]));
    }
    let enough = !before.files.is_empty() && !expected.is_empty() && !before.read.is_empty();
    assert!(
        enough && before.messages.len() > ANSWERS / 2,
        "the load was no load"
    );
}

/// What went on meanwhile is there up to one moment, and nothing of what came after it.
async fn it_is_one_moment(bob: &Person, meanwhile: &Acknowledged, whole: &[(String, String)]) {
    let restored = bob.client.timeline(&bob.room).await;
    assert!(
        restored.len() < whole.len(),
        "nothing was written after the copy"
    );
    assert_eq!(restored[..], whole[..restored.len()]);
    let mut there = 0;
    for (file, content) in &meanwhile.files {
        if let Ok(bytes) = bob.client.download(file).await {
            assert_eq!(&bytes, content, "{file}");
            there += 1;
        }
    }
    assert!(
        there > 0,
        "no file of those that were uploaded meanwhile is there"
    );
    for (writer, count) in &meanwhile.counts {
        assert!(bob.client.account_data(*writer).await <= Some(*count));
    }
}

/// A client that knows of what was lost gets everything anew, and no key that may be spent.
async fn a_later_client_starts_again(alice: &Person, bob: &Person, token: &str, lost: &str) {
    assert!(token.starts_with("s1_1_"), "{token}");
    let answer = sync(&alice.client, Some(token)).await;
    let told = &answer["rooms"]["join"][&alice.room];
    assert_eq!(told["timeline"]["limited"], true);
    let state = told["state"]["events"].as_array().unwrap();
    assert!(state.iter().any(|event| event["type"] == "m.room.create"));
    let next = answer["next_batch"].as_str().unwrap();
    assert!(!next.starts_with("s1_1_"), "{next}");
    let changed: Vec<&str> = answer["device_lists"]["changed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|user| user.as_str().unwrap())
        .collect();
    for person in [&alice.client.user_id, &bob.client.user_id] {
        assert!(changed.contains(&person.as_str()), "{changed:?}");
    }
    assert_eq!(answer["device_one_time_keys_count"]["signed_curve25519"], 0);
    assert_eq!(answer["device_unused_fallback_key_types"], json!([]));
    let claim = json!({ "one_time_keys": {
        &alice.client.user_id: { &alice.client.device_id: "signed_curve25519" }
    } });
    let path = "/_matrix/client/v3/keys/claim";
    let claimed = bob.client.ask("POST", path, &claim).await.unwrap();
    let given = &claimed["one_time_keys"][&alice.client.user_id][&alice.client.device_id];
    assert!(given["signed_curve25519:FALLBACK"].is_object(), "{claimed}");

    let path = format!("/_matrix/client/v3/rooms/{}/event/{lost}", alice.room);
    let (status, _) = alice
        .client
        .refusal("GET", &path, &Value::Null)
        .await
        .unwrap();
    assert_eq!(status, 404);
    // Where the histories part: what was written since is all that is new to this client.
    let new = say(&alice.client, &alice.room, "new").await;
    let path = format!(
        "/_matrix/client/v3/rooms/{}/messages?dir=f&limit=100&from={token}",
        alice.room
    );
    let page = alice.client.ask("GET", &path, &Value::Null).await.unwrap();
    let chunk = page["chunk"].as_array().unwrap();
    assert_eq!(chunk.len(), 1, "{page}");
    assert_eq!(chunk[0]["event_id"], new.as_str());
    let answer = sync(&alice.client, Some(next)).await;
    let events = &answer["rooms"]["join"][&alice.room]["timeline"]["events"];
    assert_eq!(events[0]["event_id"], new.as_str());
    assert!(answer["device_lists"]["changed"].is_null());
    // A session that the copy does not know is lost, and its client keeps its keys.
    let mut stranger = alice.client.at(alice.client.address());
    stranger.token = "cnv_a_of_a_session_that_began_after_the_copy".to_owned();
    let path = "/_matrix/client/v3/account/whoami";
    let (status, said) = stranger.refusal("GET", path, &Value::Null).await.unwrap();
    assert_eq!(
        (status, &said["soft_logout"]),
        (401, &json!(true)),
        "{said}"
    );
}

async fn the_server_writes_on(target: &TestServer, alice: &Person, shelf: &Shelf) {
    upload_keys(&alice.client).await;
    let file = alice.client.upload(b"after the restore").await.unwrap();
    let kept = alice.client.download(&file).await.unwrap();
    assert_eq!(kept, b"after the restore");
    let verified = printed(&target.command(&["audit", "verify"], "").await);
    assert!(
        verified.contains("stand as they were written"),
        "{verified}"
    );
    let again = shelf.path("again");
    back_up(target, &again).await;
    let manifest = std::fs::read_to_string(again.join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    assert!(manifest["epoch"].as_i64().unwrap() > 1);
    let listed = printed(&target.command(&["user", "list"], "").await);
    assert_eq!(
        listed,
        "@alice:localhost\n@bob:localhost\n@carol:localhost\n"
    );
}

//! Plants a word in everything that people, their programs and operators write.

use std::time::Duration;

use serde_json::{Map, Value, json};
use testkit::server::TestServer;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::{
    markers::{Markers, word},
    scan::files_in,
    support::Client,
};

/// What tools register with; the server is configured with it and stores it nowhere.
pub(crate) const SHARED_SECRET: &str = "qmzvgwnexyrfbkpohtasdlcj";

const V3: &str = "/_matrix/client/v3";

/// What stands in the server besides the markers.
pub(crate) struct Planted {
    /// A state key, which is documented as readable.
    pub(crate) state_key: String,
    /// How many files were uploaded.
    pub(crate) files: usize,
    /// An upload that has not ended; it ends with the server.
    _upload: TcpStream,
}

pub(crate) async fn plant(server: &TestServer, markers: &mut Markers) -> Planted {
    markers.add("the shared secret", SHARED_SECRET);
    let mut alice = person(server, markers, "alice").await;
    let bob = person(server, markers, "bob").await;
    account(&alice, markers).await;
    let (room, state_key) = rooms(&alice, &bob, markers).await;
    kept(&alice, &room, markers).await;
    keys(&alice, &bob, &room, markers).await;
    let files = files(&alice, markers).await;
    session(&mut alice, server, markers).await;
    Planted {
        state_key,
        files,
        _upload: begin_upload(server, &alice, files, markers).await,
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

/// Somebody who was invited with a token, and whose program tells its name.
async fn person(server: &TestServer, markers: &mut Markers, name: &str) -> Client {
    let invited = server.command(&["invite", "--name", name], "").await;
    assert!(invited.status.success());
    let printed = String::from_utf8(invited.stdout).unwrap();
    let token = printed.lines().last().unwrap();
    markers.add("an invitation", token);
    let mut person = Client::anonymous(server.address(), &markers.new_for("a User-Agent"));
    let register = json!({
        "username": name,
        "password": markers.new_for("a password"),
        "initial_device_display_name": markers.new_for("the name of a new device"),
        "refresh_token": true,
        "auth": { "type": "m.login.registration_token", "token": token },
    });
    let session = person
        .begin_session(&format!("{V3}/register"), &register)
        .await;
    for kind in ["access_token", "refresh_token"] {
        markers.add(kind, session[kind].as_str().unwrap());
    }
    person
}

async fn account(alice: &Client, markers: &mut Markers) {
    let me = &alice.user_id;
    let name = json!({ "displayname": markers.new_for("a display name") });
    ask(alice, "PUT", &format!("profile/{me}/displayname"), name).await;
    let avatar = format!("mxc://localhost/{}", markers.new_for("an avatar"));
    let avatar = json!({ "avatar_url": avatar });
    ask(alice, "PUT", &format!("profile/{me}/avatar_url"), avatar).await;
    let device = format!("devices/{}", alice.device_id);
    let name = json!({ "display_name": markers.new_for("the name of a device") });
    ask(alice, "PUT", &device, name).await;
    let status = json!({
        "presence": "online", "status_msg": markers.new_for("a status message"),
    });
    ask(alice, "PUT", &format!("presence/{me}/status"), status).await;
}

/// Gives the room, and a state key that stays readable.
async fn rooms(alice: &Client, bob: &Client, markers: &mut Markers) -> (String, String) {
    let state_key = word();
    let create = json!({
        "name": markers.new_for("the name of a room"),
        "topic": markers.new_for("a topic"),
        "room_alias_name": markers.new_for("an alias made with its room"),
        "creation_content": { "org.example.note": markers.new_for("creation content") },
        "initial_state": [{
            "type": "org.example.state", "state_key": state_key,
            "content": { "note": markers.new_for("initial state") },
        }],
        "invite": [bob.user_id],
    });
    let room = ask(alice, "POST", "createRoom", create).await;
    let room = room["room_id"].as_str().unwrap().to_owned();
    let alias = format!(
        "directory/room/%23{}:localhost",
        markers.new_for("an alias")
    );
    ask(alice, "PUT", &alias, json!({ "room_id": room })).await;
    let join = json!({ "reason": markers.new_for("the reason of a join") });
    ask(bob, "POST", &format!("join/{room}"), join).await;

    let txn = markers.new_for("a transaction id");
    let message = json!({ "msgtype": "m.text", "body": markers.new_for("a message") });
    let sent = ask(
        alice,
        "PUT",
        &format!("rooms/{room}/send/m.room.message/{txn}"),
        message,
    )
    .await;
    let sent = sent["event_id"].as_str().unwrap();
    let content = json!({ "note": markers.new_for("the content of state") });
    ask(
        alice,
        "PUT",
        &format!("rooms/{room}/state/org.example.state/"),
        content,
    )
    .await;
    let message = json!({ "msgtype": "m.text", "body": markers.new_for("a redacted message") });
    let gone = ask(
        alice,
        "PUT",
        &format!("rooms/{room}/send/m.room.message/gone"),
        message,
    )
    .await;
    let gone = gone["event_id"].as_str().unwrap();
    let txn = markers.new_for("the transaction id of a redaction");
    let redact = json!({ "reason": markers.new_for("the reason of a redaction") });
    ask(
        alice,
        "PUT",
        &format!("rooms/{room}/redact/{gone}/{txn}"),
        redact,
    )
    .await;
    ask(
        bob,
        "POST",
        &format!("rooms/{room}/receipt/m.read/{sent}"),
        json!({}),
    )
    .await;
    memberships(alice, bob, &room, markers).await;
    (room, state_key)
}

async fn memberships(alice: &Client, bob: &Client, room: &str, markers: &mut Markers) {
    for (who, act, kind) in [
        (alice, "kick", "the reason of a kick"),
        (alice, "invite", "the reason of an invitation"),
        (bob, "leave", "the reason of a refusal"),
        (alice, "ban", "the reason of a ban"),
        (alice, "unban", "the reason of a pardon"),
    ] {
        let mut body = json!({ "reason": markers.new_for(kind) });
        if who.user_id == alice.user_id {
            body["user_id"] = bob.user_id.clone().into();
        }
        ask(who, "POST", &format!("rooms/{room}/{act}"), body).await;
    }
    let rules = json!({ "join_rule": "knock" });
    ask(
        alice,
        "PUT",
        &format!("rooms/{room}/state/m.room.join_rules/"),
        rules,
    )
    .await;
    let knock = json!({ "reason": markers.new_for("the reason of a knock") });
    ask(bob, "POST", &format!("knock/{room}"), knock).await;
}

/// Account data and what is kept beside it.
async fn kept(alice: &Client, room: &str, markers: &mut Markers) {
    let mine = format!("user/{}", alice.user_id);
    let draft = json!({ "draft": markers.new_for("a draft") });
    ask(
        alice,
        "PUT",
        &format!("{mine}/account_data/org.example.drafts"),
        draft,
    )
    .await;
    let draft = json!({ "draft": markers.new_for("a draft in a room") });
    let path = format!("{mine}/rooms/{room}/account_data/org.example.drafts");
    ask(alice, "PUT", &path, draft).await;
    let tag = markers.new_for("a tag");
    ask(
        alice,
        "PUT",
        &format!("{mine}/rooms/{room}/tags/u.{tag}"),
        json!({ "order": 0.5 }),
    )
    .await;
    let filter = json!({ "room": { "timeline": { "types": [markers.new_for("a filter")] } } });
    ask(alice, "POST", &format!("{mine}/filter"), filter).await;
    let rule = markers.new_for("the id of a push rule");
    let push = json!({
        "actions": ["notify"], "pattern": markers.new_for("the pattern of a push rule"),
    });
    ask(
        alice,
        "PUT",
        &format!("pushrules/global/content/{rule}"),
        push,
    )
    .await;
}

async fn keys(alice: &Client, bob: &Client, room: &str, markers: &mut Markers) {
    let (me, device) = (&alice.user_id, &alice.device_id);
    let mut signed = Map::new();
    signed.insert(
        format!("ed25519:{device}"),
        markers.new_for("a signature").into(),
    );
    let mut signatures = Map::new();
    signatures.insert(me.clone(), signed.into());
    let mut public = Map::new();
    public.insert(
        format!("ed25519:{device}"),
        markers.new_for("a device key").into(),
    );
    let key =
        |markers: &mut Markers, kind| json!({ "key": markers.new_for(kind), "signatures": {} });
    let upload = json!({
        "device_keys": {
            "user_id": me, "device_id": device, "algorithms": ["m.megolm.v1.aes-sha2"],
            "keys": public, "signatures": signatures,
        },
        "one_time_keys": { "signed_curve25519:AAAAAQ": key(markers, "a one-time key") },
        "fallback_keys": { "signed_curve25519:AAAAAg": key(markers, "a fallback key") },
    });
    ask(alice, "POST", "keys/upload", upload).await;

    let mut devices = Map::new();
    devices.insert(
        device.clone(),
        json!({ "body": markers.new_for("a message to a device") }),
    );
    let mut people = Map::new();
    people.insert(me.clone(), devices.into());
    let txn = markers.new_for("the transaction id of a message to a device");
    let path = format!("sendToDevice/org.example.note/{txn}");
    ask(bob, "PUT", &path, json!({ "messages": people })).await;

    let version = json!({
        "algorithm": "m.megolm_backup.v1.curve25519-aes-sha2",
        "auth_data": { "public_key": markers.new_for("a backup's public key"), "signatures": {} },
    });
    let version = ask(alice, "POST", "room_keys/version", version).await;
    let version = version["version"].as_str().unwrap();
    let session = json!({
        "first_message_index": 0, "forwarded_count": 0, "is_verified": true,
        "session_data": { "ciphertext": markers.new_for("a key in a backup") },
    });
    let path = format!("room_keys/keys/{room}/SESSION?version={version}");
    ask(alice, "PUT", &path, session).await;
}

/// Uploads files, and gives their number.
async fn files(alice: &Client, markers: &mut Markers) -> usize {
    let name = markers.new_for("the name of a file");
    let kind = format!("text/{}", markers.new_for("the type of a file"));
    let path = format!("/_matrix/media/v3/upload?filename={name}");
    let content = markers.new_for("the content of a file");
    alice
        .send("POST", &path, &kind, content.as_bytes())
        .await
        .unwrap();
    let content = markers
        .new_for("the content of a large file")
        .repeat(10_000);
    alice.upload(content.as_bytes()).await.unwrap();
    2
}

/// Tokens that the server makes, and refusals that it records.
async fn session(alice: &mut Client, server: &TestServer, markers: &mut Markers) {
    let stranger = Client::anonymous(
        server.address(),
        &markers.new_for("a stranger's User-Agent"),
    );
    let login = json!({
        "type": "m.login.password",
        "identifier": { "type": "m.id.user", "user": "alice" },
        "password": markers.new_for("a wrong password"),
    });
    let path = format!("{V3}/login");
    assert!(stranger.ask("POST", &path, &login).await.is_err());
    let made = server
        .command(
            &["user", "create", "carol"],
            &markers.new_for("a password on standard input"),
        )
        .await;
    assert!(made.status.success());
    ask(alice, "GET", "account/whoami", Value::Null).await;
}

/// Begins an upload that the server will not live to see the end of.
async fn begin_upload(
    server: &TestServer,
    alice: &Client,
    files: usize,
    markers: &mut Markers,
) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let head = format!(
        "POST /_matrix/media/v3/upload?filename={} HTTP/1.1\r\nHost: localhost\r\n\
         Authorization: Bearer {}\r\nContent-Type: text/plain\r\nContent-Length: 9000000\r\n\r\n",
        markers.new_for("the name of a file that does not arrive"),
        alice.token,
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let content = markers.new_for("a temporary upload").repeat(40_000);
    stream.write_all(content.as_bytes()).await.unwrap();
    let folder = server.data_dir().join("files");
    testkit::eventually_within(Duration::from_secs(10), "the upload has begun", || {
        let begun = files_in(&folder) > files;
        async move { begun.then_some(()) }
    })
    .await;
    stream
}

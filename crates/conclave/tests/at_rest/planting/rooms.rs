//! Rooms: their state, messages and members.

use serde_json::{Value, json};

use super::{ask, text};
use crate::{markers::Markers, support::Client};

pub(super) async fn rooms(alice: &Client, bob: &Client, markers: &mut Markers) -> String {
    let local = markers.new_for("an alias made with its room");
    let create = json!({
        "name": markers.new_for("the name of a room"),
        "topic": markers.new_for("a topic"),
        "room_alias_name": local,
        "creation_content": { "org.example.note": markers.new_for("creation content") },
        "initial_state": [{
            "type": "org.example.state", "state_key": "initial",
            "content": { "note": markers.new_for("initial state") },
        }],
        "invite": [bob.user_id],
    });
    let room = ask(alice, "POST", "createRoom", create).await;
    let room = text(&room, "room_id").to_owned();
    let local = markers.new_for("an alias");
    let path = format!("directory/room/%23{local}:localhost");
    ask(alice, "PUT", &path, json!({ "room_id": room })).await;
    described(alice, &room, &local, markers).await;
    let join = json!({ "reason": markers.new_for("the reason of a join") });
    ask(bob, "POST", &format!("join/{room}"), join).await;
    messages(alice, bob, &room, markers).await;
    delayed(alice, &room, markers).await;
    memberships(alice, bob, &room, markers).await;
    room
}

/// Writes a state event without any content that matters.
pub(super) async fn state(who: &Client, room: &str, kind: &str, state_key: &str) {
    let path = format!("rooms/{room}/state/{kind}/{state_key}");
    ask(who, "PUT", &path, json!({ "so": "it is" })).await;
}

async fn described(alice: &Client, room: &str, alias: &str, markers: &mut Markers) {
    markers.add("a canonical alias", alias);
    let avatar = format!("mxc://localhost/{}", markers.new_for("a room's avatar"));
    let name = markers.new_for("a display name in one room");
    let me = format!("m.room.member/{}", alice.user_id);
    for (place, content) in [
        (
            "m.room.canonical_alias/",
            json!({ "alias": format!("#{alias}:localhost") }),
        ),
        ("m.room.avatar/", json!({ "url": avatar })),
        (
            "m.room.topic/",
            json!({ "topic": markers.new_for("a later topic") }),
        ),
        (
            "org.example.state/",
            json!({ "note": markers.new_for("the content of state") }),
        ),
        (&me, json!({ "membership": "join", "displayname": name })),
    ] {
        ask(
            alice,
            "PUT",
            &format!("rooms/{room}/state/{place}"),
            content,
        )
        .await;
    }
}

async fn messages(alice: &Client, bob: &Client, room: &str, markers: &mut Markers) {
    let say = async |kind: &str, txn: &str, content: Value| {
        let path = format!("rooms/{room}/send/{kind}/{txn}");
        let sent = ask(alice, "PUT", &path, content).await;
        text(&sent, "event_id").to_owned()
    };
    let message = |body: String| json!({ "msgtype": "m.text", "body": body });
    let txn = markers.new_for("a transaction id");
    let content = message(markers.new_for("a message"));
    let sent = say("m.room.message", &txn, content).await;

    let mut edit = message(markers.new_for("an edited message"));
    edit["m.new_content"] = edit.clone();
    edit["m.relates_to"] = json!({ "rel_type": "m.replace", "event_id": sent });
    say("m.room.message", "edit", edit).await;
    let key = markers.new_for("a reaction");
    let reaction = json!({
        "m.relates_to": { "rel_type": "m.annotation", "event_id": sent, "key": key },
    });
    say("m.reaction", "reaction", reaction).await;

    let content = message(markers.new_for("a redacted message"));
    let gone = say("m.room.message", "gone", content).await;
    let txn = markers.new_for("the transaction id of a redaction");
    let redact = json!({ "reason": markers.new_for("the reason of a redaction") });
    let path = format!("rooms/{room}/redact/{gone}/{txn}");
    ask(alice, "PUT", &path, redact).await;
    let path = format!("rooms/{room}/receipt/m.read/{sent}");
    ask(bob, "POST", &path, json!({})).await;
    let report = json!({ "reason": markers.new_for("the reason of a report") });
    let path = format!("rooms/{room}/report/{sent}");
    ask(bob, "POST", &path, report).await;
}

/// A message that waits, in both forms of asking for it.
async fn delayed(alice: &Client, room: &str, markers: &mut Markers) {
    let mut delay_id = String::new();
    for _ in ["sent early", "left waiting"] {
        let txn = markers.new_for("the transaction id of a delayed message");
        let body = markers.new_for("a delayed message");
        let path =
            format!("rooms/{room}/send/m.room.message/{txn}?org.matrix.msc4140.delay=80000000");
        let content = json!({ "msgtype": "m.text", "body": body });
        let scheduled = ask(alice, "PUT", &path, content).await;
        let made = text(&scheduled, "delay_id");
        markers.add("a delay id", made);
        if delay_id.is_empty() {
            delay_id = made.to_owned();
        }
    }
    for action in ["restart", "send"] {
        let base = "/_matrix/client/unstable/org.matrix.msc4140/delayed_events";
        let path = format!("{base}/{delay_id}/{action}");
        let done = alice.ask("POST", &path, &json!({})).await;
        done.unwrap_or_else(|error| panic!("{action}: {error}"));
    }
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
    let path = format!("rooms/{room}/state/m.room.join_rules/");
    ask(alice, "PUT", &path, json!({ "join_rule": "knock" })).await;
    let knock = json!({ "reason": markers.new_for("the reason of a knock") });
    ask(bob, "POST", &format!("knock/{room}"), knock).await;
}

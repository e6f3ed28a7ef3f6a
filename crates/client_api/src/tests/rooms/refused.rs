//! What every endpoint of rooms refuses in the same way: strangers, outsiders, unknown rooms.

use serde_json::{Value, json};

use super::{super::bare, Town};

/// Method, path with `ROOM` and `EVENT`, body; what somebody who was never in the room is told,
/// and what is told of a room that is not there.
type Case = (
    &'static str,
    &'static str,
    Value,
    (u16, &'static str),
    (u16, &'static str),
);

const FORBIDDEN: (u16, &str) = (403, "M_FORBIDDEN");
const NOT_FOUND: (u16, &str) = (404, "M_NOT_FOUND");

fn cases() -> Vec<Case> {
    let nothing = || Value::Null;
    let alice = || json!({ "user_id": "@alice:localhost" });
    let hidden = (FORBIDDEN, FORBIDDEN);
    let rows: Vec<(_, _, _, (_, _))> = vec![
        ("GET", "rooms/ROOM/state", nothing(), hidden),
        ("GET", "rooms/ROOM/state/m.room.create", nothing(), hidden),
        ("GET", "rooms/ROOM/members", nothing(), hidden),
        ("GET", "rooms/ROOM/joined_members", nothing(), hidden),
        ("GET", "rooms/ROOM/messages?dir=b", nothing(), hidden),
        ("GET", "rooms/ROOM/aliases", nothing(), hidden),
        (
            "GET",
            "rooms/ROOM/event/EVENT",
            nothing(),
            (NOT_FOUND, NOT_FOUND),
        ),
        (
            "GET",
            "rooms/ROOM/context/EVENT",
            nothing(),
            (NOT_FOUND, NOT_FOUND),
        ),
        (
            "PUT",
            "rooms/ROOM/state/m.room.topic",
            json!({ "topic": "x" }),
            hidden,
        ),
        (
            "PUT",
            "rooms/ROOM/state/m.room.canonical_alias",
            json!({ "alias": "#a:b" }),
            hidden,
        ),
        (
            "PUT",
            "rooms/ROOM/send/m.room.message/1",
            json!({ "body": "x" }),
            hidden,
        ),
        ("PUT", "rooms/ROOM/redact/EVENT/1", json!({}), hidden),
        ("POST", "rooms/ROOM/join", json!({}), (FORBIDDEN, NOT_FOUND)),
        ("POST", "join/ROOM", json!({}), (FORBIDDEN, NOT_FOUND)),
        ("POST", "knock/ROOM", json!({}), (FORBIDDEN, NOT_FOUND)),
        (
            "POST",
            "rooms/ROOM/leave",
            json!({}),
            (NOT_FOUND, NOT_FOUND),
        ),
        (
            "POST",
            "rooms/ROOM/forget",
            json!({}),
            (NOT_FOUND, NOT_FOUND),
        ),
        (
            "POST",
            "rooms/ROOM/invite",
            json!({ "user_id": "@carol:localhost" }),
            hidden,
        ),
        ("POST", "rooms/ROOM/kick", alice(), hidden),
        ("POST", "rooms/ROOM/ban", alice(), hidden),
        ("POST", "rooms/ROOM/unban", alice(), hidden),
        ("POST", "rooms/ROOM/receipt/m.read/EVENT", json!({}), hidden),
        (
            "POST",
            "rooms/ROOM/receipt/m.fully_read/EVENT",
            json!({}),
            hidden,
        ),
        ("POST", "rooms/ROOM/read_markers", json!({}), hidden),
        (
            "PUT",
            "rooms/ROOM/typing/@bob:localhost",
            json!({ "typing": false }),
            hidden,
        ),
        (
            "PUT",
            "directory/room/%23a:localhost",
            json!({ "room_id": "ROOM" }),
            hidden,
        ),
        (
            "PUT",
            "directory/list/room/ROOM",
            json!({ "visibility": "public" }),
            (FORBIDDEN, NOT_FOUND),
        ),
    ];
    rows.into_iter()
        .map(|(method, path, body, (outside, nowhere))| (method, path, body, outside, nowhere))
        .collect()
}

fn placed(path: &str, body: &Value, room: &str, event: &str) -> (String, Value) {
    let place = |text: &str| text.replace("ROOM", room).replace("EVENT", event);
    let body = serde_json::from_str(&place(&body.to_string())).unwrap();
    (place(path), body)
}

#[tokio::test]
async fn outsiders_are_told_nothing_of_a_room() {
    let town = Town::new();
    let room = town.room(json!({ "preset": "private_chat" })).await;
    let said = town.say("alice", &room, "hello").await;
    for (method, path, body, outside, nowhere) in cases() {
        let (at, filled) = placed(path, &body, &room, &said);
        let (status, errcode) = town.refused("bob", method, &at, filled).await;
        assert_eq!((status, errcode.as_str()), outside, "{method} {path}");
        for unknown in [
            "!nowhere:localhost",
            "!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM",
        ] {
            let (at, filled) = placed(path, &body, unknown, &said);
            let (status, errcode) = town.refused("bob", method, &at, filled).await;
            assert_eq!(
                (status, errcode.as_str()),
                nowhere,
                "{method} {path} of {unknown}"
            );
        }
    }
}

#[tokio::test]
async fn whoever_was_sent_out_for_good_stays_out() {
    let town = Town::new();
    let room = town.public().await;
    town.join("bob", &room).await;
    let bob = json!({ "user_id": "@bob:localhost" });
    town.ok("alice", "POST", format!("rooms/{room}/ban"), bob)
        .await;
    let said = town.say("alice", &room, "hello").await;
    let reads = ["state", "members", "messages", "/leave", "/forget"];
    for (method, path, body, _, _) in cases() {
        if method == "GET" && reads.iter().any(|read| path.contains(read))
            || path.contains("forget")
        {
            continue;
        }
        let (at, filled) = placed(path, &body, &room, &said);
        let answer = town.ask("bob", method, &at, filled).await;
        assert!(
            matches!(answer.status.as_u16(), 403 | 404),
            "{method} {path}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn every_endpoint_wants_a_token_that_is_known() {
    let town = Town::new();
    let more: [(&str, &str, Value); 5] = [
        ("POST", "createRoom", json!({})),
        ("GET", "joined_rooms", Value::Null),
        ("DELETE", "directory/room/%23a:localhost", Value::Null),
        ("GET", "presence/@alice:localhost/status", Value::Null),
        (
            "PUT",
            "presence/@alice:localhost/status",
            json!({ "presence": "online" }),
        ),
    ];
    let all = cases()
        .into_iter()
        .map(|(method, path, body, _, _)| (method, path, body));
    for (method, path, body) in all.chain(more) {
        let (at, filled) = placed(path, &body, "!r:localhost", "$e");
        let refused = town.refused("forged", method, &at, filled).await;
        assert_eq!(refused, (401, "M_UNKNOWN_TOKEN".into()), "{method} {path}");
        let request = bare(method, &format!("/_matrix/client/v3/{at}"));
        let answer = town.face.ask(request).await;
        assert_eq!(
            (answer.status.as_u16(), answer.errcode()),
            (401, "M_MISSING_TOKEN"),
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn wrong_types_are_named() {
    let town = Town::new();
    let room = town.public().await;
    let cases = [
        (
            "POST",
            "rooms/ROOM/join",
            json!({ "reason": 5 }),
            "M_BAD_JSON",
        ),
        (
            "POST",
            "rooms/ROOM/leave",
            json!({ "reason": [] }),
            "M_BAD_JSON",
        ),
        ("POST", "rooms/ROOM/invite", json!({}), "M_BAD_JSON"),
        ("POST", "rooms/ROOM/kick", json!({}), "M_BAD_JSON"),
        (
            "POST",
            "rooms/ROOM/kick",
            json!({ "user_id": "bob" }),
            "M_BAD_JSON",
        ),
        (
            "POST",
            "rooms/ROOM/ban",
            json!({ "user_id": 5 }),
            "M_BAD_JSON",
        ),
        ("GET", "rooms/ROOM/messages", Value::Null, "M_MISSING_PARAM"),
        (
            "GET",
            "rooms/ROOM/messages?dir=up",
            Value::Null,
            "M_INVALID_PARAM",
        ),
        (
            "GET",
            "rooms/ROOM/messages?dir=b&limit=many",
            Value::Null,
            "M_INVALID_PARAM",
        ),
        (
            "GET",
            "rooms/ROOM/messages?dir=b&limit=-1",
            Value::Null,
            "M_INVALID_PARAM",
        ),
        (
            "GET",
            "rooms/ROOM/messages?dir=b&from=5",
            Value::Null,
            "M_INVALID_PARAM",
        ),
        (
            "GET",
            "rooms/ROOM/messages?dir=b&to=tx",
            Value::Null,
            "M_INVALID_PARAM",
        ),
        (
            "GET",
            "rooms/ROOM/messages?dir=b&filter=no",
            Value::Null,
            "M_INVALID_PARAM",
        ),
        (
            "GET",
            "rooms/ROOM/context/nowhere",
            Value::Null,
            "M_INVALID_PARAM",
        ),
        ("GET", "rooms/room/state", Value::Null, "M_INVALID_PARAM"),
        (
            "GET",
            "rooms/ROOM/state/m.room.create?format=odd",
            Value::Null,
            "M_INVALID_PARAM",
        ),
        (
            "POST",
            "rooms/ROOM/read_markers",
            json!({ "m.read": "nowhere" }),
            "M_BAD_JSON",
        ),
    ];
    for (method, path, body, errcode) in cases {
        let (at, filled) = placed(path, &body, &room, "$e");
        let refused = town.refused("alice", method, &at, filled).await;
        assert_eq!(refused, (400, errcode.to_owned()), "{method} {path} {body}");
    }
    let long = format!("rooms/{room}/leave");
    let reason = json!({ "reason": "x".repeat(100_000) });
    assert_eq!(
        town.refused("alice", "POST", &long, reason).await,
        (413, "M_TOO_LARGE".into())
    );
}

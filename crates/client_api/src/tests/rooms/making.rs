//! Making rooms.

use serde_json::{Value, json};

use super::Town;

#[tokio::test]
async fn a_room_is_made_as_it_was_asked_for() {
    let town = Town::new();
    let accounts = &town.face.home.owners.accounts;
    let name = json!("Bob");
    let shown = accounts.set_profile_field(2, "displayname", Some(&name));
    shown.await.unwrap();
    let room = town
        .room(json!({
            "preset": "private_chat",
            "name": "Lobby",
            "topic": "What is for lunch",
            "invite": ["@bob:localhost", "@bob:localhost"],
            "is_direct": true,
            "room_alias_name": "lobby",
            "creation_content": { "m.federate": false, "room_version": "3", "creator": "@eve:localhost" },
            "initial_state": [
                { "type": "m.room.history_visibility", "content": { "history_visibility": "joined" } },
                { "type": "org.example.thing", "state_key": "k", "content": { "n": 1 } },
            ],
            "power_level_content_override": { "ban": 77 },
        }))
        .await;
    let state = async |place: &str| {
        town.get("alice", format!("rooms/{room}/state/{place}"))
            .await
    };
    assert_eq!(state("m.room.name/").await, json!({ "name": "Lobby" }));
    assert_eq!(state("m.room.topic").await["topic"], "What is for lunch");
    assert_eq!(
        state("m.room.encryption").await["algorithm"],
        "m.megolm.v1.aes-sha2"
    );
    assert_eq!(state("org.example.thing/k").await, json!({ "n": 1 }));
    assert_eq!(state("m.room.power_levels").await["ban"], 77);
    let create = state("m.room.create").await;
    assert_eq!(
        (&create["room_version"], &create["m.federate"]),
        (&json!("12"), &json!(false))
    );
    assert_eq!(create["creator"], Value::Null);
    assert_eq!(
        state("m.room.member/@bob:localhost").await,
        json!({ "membership": "invite", "displayname": "Bob", "is_direct": true })
    );
    let found = town.get("bob", "directory/room/%23lobby:localhost").await;
    assert_eq!(found, json!({ "room_id": room, "servers": ["localhost"] }));
}

#[tokio::test]
async fn every_version_makes_rooms() {
    let town = Town::new();
    for version in 1..=12 {
        let room = town
            .room(json!({ "room_version": version.to_string() }))
            .await;
        let sent = town.say("alice", &room, "hello").await;
        // In version 3 ids have slashes.
        let sent = sent.replace('/', "%2F").replace('+', "%2B");
        let event = town
            .get("alice", format!("rooms/{room}/event/{sent}"))
            .await;
        assert_eq!(event["content"]["body"], "hello", "{version}");
    }
}

#[tokio::test]
async fn what_cannot_be_made_is_told_why() {
    let town = Town::new();
    town.room(json!({ "room_alias_name": "taken" })).await;
    let huge = "x".repeat(70_000);
    let many: Vec<_> = (0..2000)
        .map(|key| json!({ "type": "a", "state_key": key.to_string(), "content": {} }))
        .collect();
    let cases = [
        (json!({ "room_alias_name": "taken" }), 400, "M_ROOM_IN_USE"),
        (json!({ "room_alias_name": "a:b" }), 400, "M_INVALID_PARAM"),
        (json!({ "room_alias_name": "" }), 400, "M_INVALID_PARAM"),
        (
            json!({ "room_version": "13" }),
            400,
            "M_UNSUPPORTED_ROOM_VERSION",
        ),
        (json!({ "room_version": 12 }), 400, "M_BAD_JSON"),
        (json!({ "preset": "secret_chat" }), 400, "M_BAD_JSON"),
        (json!({ "visibility": "odd" }), 400, "M_BAD_JSON"),
        (json!({ "invite": ["bob"] }), 400, "M_BAD_JSON"),
        (
            json!({ "invite": ["@nobody:localhost"] }),
            404,
            "M_NOT_FOUND",
        ),
        (
            json!({ "invite": ["@bob:example.org"] }),
            403,
            "M_FORBIDDEN",
        ),
        (json!({ "initial_state": [{}] }), 400, "M_BAD_JSON"),
        (
            json!({ "initial_state": [{ "type": "a", "content": 1 }] }),
            400,
            "M_BAD_JSON",
        ),
        (
            json!({ "initial_state": [{ "type": "a", "content": { "n": 1.5 } }] }),
            400,
            "M_BAD_JSON",
        ),
        (
            json!({ "initial_state": [{ "type": "m.room.create", "content": {} }] }),
            400,
            "M_INVALID_ROOM_STATE",
        ),
        (
            json!({ "initial_state": [{ "type": "m.room.canonical_alias", "content": { "alias": "#taken:localhost" } }] }),
            400,
            "M_BAD_ALIAS",
        ),
        (json!({ "initial_state": many }), 413, "M_TOO_LARGE"),
        (
            json!({ "power_level_content_override": { "users": { "@alice:localhost": 100 } } }),
            400,
            "M_INVALID_ROOM_STATE",
        ),
        (
            json!({ "power_level_content_override": { "ban": "high" } }),
            400,
            "M_INVALID_ROOM_STATE",
        ),
        (
            json!({ "creation_content": { "additional_creators": ["eve"] } }),
            400,
            "M_INVALID_ROOM_STATE",
        ),
        (json!({ "topic": huge }), 413, "M_TOO_LARGE"),
        (
            json!({ "invite_3pid": [{ "id_server": "a", "id_access_token": "b", "medium": "email", "address": "c" }] }),
            400,
            "M_THREEPID_MEDIUM_NOT_SUPPORTED",
        ),
    ];
    for (request, status, errcode) in cases {
        let shown = request.to_string();
        let refused = town.refused("alice", "POST", "createRoom", request).await;
        let shown = shown.chars().take(100).collect::<String>();
        assert_eq!(refused, (status, errcode.to_owned()), "{shown}");
    }
    let joined = town.get("alice", "joined_rooms").await;
    assert_eq!(joined["joined_rooms"].as_array().unwrap().len(), 1);
}

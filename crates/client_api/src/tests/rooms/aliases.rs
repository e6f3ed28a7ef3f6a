//! Aliases and the directory.

use serde_json::{Value, json};

use super::Town;

#[tokio::test]
async fn an_alias_is_made_found_listed_and_removed() {
    let town = Town::new();
    let (room, other) = (town.public().await, town.public().await);
    town.join("bob", &room).await;
    let alias = "directory/room/%23caf%C3%A9:localhost";
    town.ok("bob", "PUT", alias, json!({ "room_id": room }))
        .await;
    let taken = town
        .refused("alice", "PUT", alias, json!({ "room_id": other }))
        .await;
    assert_eq!(taken, (409, "M_UNKNOWN".into()));
    assert_eq!(town.get("carol", alias).await["room_id"], *room);
    let listed = town.get("alice", format!("rooms/{room}/aliases")).await;
    assert_eq!(listed, json!({ "aliases": ["#café:localhost"] }));
    let strange = town.refused("carol", "DELETE", alias, Value::Null).await;
    assert_eq!(strange, (403, "M_FORBIDDEN".into()));
    let main = json!({ "alias": "#café:localhost" });
    town.set("alice", &room, "m.room.canonical_alias", main)
        .await;
    town.ok("alice", "DELETE", alias, Value::Null).await;
    for method in ["GET", "DELETE"] {
        let gone = town.refused("alice", method, alias, Value::Null).await;
        assert_eq!(gone, (404, "M_NOT_FOUND".into()));
    }
}

#[tokio::test]
async fn an_alias_needs_a_name_of_this_server_and_a_room_of_the_callers() {
    let town = Town::new();
    let room = town.public().await;
    let cases = [
        (
            "alice",
            "%23lobby:example.org",
            json!({ "room_id": room }),
            400,
            "M_INVALID_PARAM",
        ),
        (
            "alice",
            "lobby",
            json!({ "room_id": room }),
            400,
            "M_INVALID_PARAM",
        ),
        (
            "alice",
            "%23a%20b:localhost",
            json!({ "room_id": room }),
            400,
            "M_INVALID_PARAM",
        ),
        (
            "alice",
            "%23lobby:localhost",
            json!({ "room_id": 5 }),
            400,
            "M_BAD_JSON",
        ),
        ("alice", "%23lobby:localhost", json!({}), 400, "M_BAD_JSON"),
        (
            "bob",
            "%23lobby:localhost",
            json!({ "room_id": room }),
            403,
            "M_FORBIDDEN",
        ),
        (
            "alice",
            "%23lobby:localhost",
            json!({ "room_id": "!nowhere:localhost" }),
            403,
            "M_FORBIDDEN",
        ),
    ];
    for (who, alias, body, status, errcode) in cases {
        let refused = town
            .refused(who, "PUT", format!("directory/room/{alias}"), body)
            .await;
        assert_eq!(refused, (status, errcode.to_owned()), "{who} {alias}");
    }
}

#[tokio::test]
async fn a_room_is_shown_in_the_directory_by_its_moderators() {
    let town = Town::new();
    let room = town.room(json!({ "visibility": "public" })).await;
    let path = format!("directory/list/room/{room}");
    assert_eq!(
        town.get("bob", &path).await,
        json!({ "visibility": "public" })
    );
    let joined = town
        .refused("bob", "PUT", &path, json!({ "visibility": "private" }))
        .await;
    assert_eq!(joined, (403, "M_FORBIDDEN".into()));
    town.ok("alice", "PUT", &path, json!({ "visibility": "private" }))
        .await;
    assert_eq!(
        town.get("bob", &path).await,
        json!({ "visibility": "private" })
    );
    let odd = town
        .refused("alice", "PUT", &path, json!({ "visibility": "odd" }))
        .await;
    assert_eq!(odd, (400, "M_BAD_JSON".into()));
    for method in ["GET", "PUT"] {
        let path = "directory/list/room/!nowhere:localhost";
        let nowhere = town
            .refused("alice", method, path, json!({ "visibility": "public" }))
            .await;
        assert_eq!(nowhere, (404, "M_NOT_FOUND".into()));
    }
}

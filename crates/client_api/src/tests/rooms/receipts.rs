//! Receipts, read markers, typing, presence.

use serde_json::{Value, json};

use super::Town;

#[tokio::test]
async fn receipts_of_every_kind_are_taken() {
    let town = Town::new();
    let room = town.public().await;
    let said = town.say("alice", &room, "hello").await;
    let at = |kind: &str| format!("rooms/{room}/receipt/{kind}/{said}");
    for (kind, body, status) in [
        ("m.read", json!({}), 200),
        ("m.read", Value::Null, 200),
        ("m.read", json!({ "thread_id": "main" }), 200),
        ("m.read", json!({ "thread_id": said }), 200),
        ("m.read.private", json!({}), 200),
        ("m.fully_read", json!({}), 200),
        ("m.fully_read", json!({ "thread_id": "main" }), 400),
        ("m.read", json!({ "thread_id": "" }), 400),
        ("m.read", json!({ "thread_id": "other" }), 400),
        ("m.read", json!({ "thread_id": 5 }), 400),
        ("org.example.read", json!({}), 400),
    ] {
        let answer = town.ask("alice", "POST", &at(kind), body.clone()).await;
        assert_eq!(answer.status, status, "{kind} {body}: {answer:?}");
    }
    let nowhere = format!("rooms/{room}/receipt/m.read/$nowhere");
    let refused = town.refused("alice", "POST", &nowhere, json!({})).await;
    assert_eq!(refused, (404, "M_NOT_FOUND".into()));
}

#[tokio::test]
async fn read_markers_move_together_or_not_at_all() {
    let town = Town::new();
    let room = town.public().await;
    let said = town.say("alice", &room, "hello").await;
    let path = format!("rooms/{room}/read_markers");
    let marker = async || {
        let owners = &town.face.home.owners;
        let room = <&ruma::RoomId>::try_from(room.as_str()).unwrap();
        let stored = owners
            .accounts
            .account_data(1, Some(room), "m.fully_read")
            .await
            .unwrap();
        stored.map(|content| content.get().to_owned())
    };
    let half = json!({ "m.fully_read": said, "m.read": "$nowhere" });
    assert_eq!(
        town.refused("alice", "POST", &path, half).await,
        (404, "M_NOT_FOUND".into())
    );
    assert_eq!(marker().await, None);
    let whole = json!({ "m.fully_read": said, "m.read": said, "m.read.private": said });
    town.ok("alice", "POST", &path, whole).await;
    assert_eq!(
        marker().await,
        Some(json!({ "event_id": said }).to_string())
    );
    town.ok("alice", "POST", &path, json!({})).await;
    let refused = town.refused(
        "alice",
        "POST",
        &path,
        json!({ "m.fully_read": "$nowhere" }),
    );
    assert_eq!(refused.await, (404, "M_NOT_FOUND".into()));
}

#[tokio::test]
async fn only_oneself_types_and_only_where_one_is() {
    let town = Town::new();
    let room = town.public().await;
    town.join("bob", &room).await;
    let typing = |user: &str| format!("rooms/{room}/typing/@{user}:localhost");
    let yes = json!({ "typing": true, "timeout": 30_000 });
    town.ok("alice", "PUT", &typing("alice"), yes.clone()).await;
    let rooms = &town.face.home.owners.rooms;
    let number = rooms
        .room(room.as_str().try_into().unwrap())
        .await
        .unwrap()
        .room;
    let typists = || town.face.home.owners.sync.typing(number);
    assert_eq!(typists(), vec![1]);
    town.ok("alice", "PUT", &typing("alice"), json!({ "typing": false }))
        .await;
    assert_eq!(typists(), Vec::<i64>::new());
    for (who, user) in [("alice", "bob"), ("carol", "carol")] {
        let refused = town.refused(who, "PUT", &typing(user), yes.clone()).await;
        assert_eq!(refused, (403, "M_FORBIDDEN".into()));
    }
    let odd = town
        .refused("alice", "PUT", &typing("alice"), json!({ "typing": "yes" }))
        .await;
    assert_eq!(odd, (400, "M_BAD_JSON".into()));
}

#[tokio::test]
async fn presence_is_told_to_those_who_share_a_room() {
    let town = Town::new();
    let room = town.public().await;
    let path = "presence/@alice:localhost/status";
    let here = json!({ "presence": "unavailable", "status_msg": "lunch" });
    town.ok("alice", "PUT", path, here.clone()).await;
    let own = town.get("alice", path).await;
    assert_eq!(
        (&own["presence"], &own["status_msg"]),
        (&json!("unavailable"), &json!("lunch"))
    );
    let strangers = ["@alice:localhost", "@nobody:localhost"];
    for user in strangers {
        let path = format!("presence/{user}/status");
        let refused = town.refused("bob", "GET", &path, Value::Null).await;
        assert_eq!(refused, (403, "M_FORBIDDEN".into()), "{user}");
    }
    town.join("bob", &room).await;
    assert_eq!(town.get("bob", path).await["status_msg"], "lunch");
    let bob = town.get("alice", "presence/@bob:localhost/status").await;
    assert_eq!(bob["presence"], "offline");
    assert_eq!(
        town.refused("bob", "PUT", path, here).await,
        (403, "M_FORBIDDEN".into())
    );
    let odd = town
        .refused("alice", "PUT", path, json!({ "presence": "dancing" }))
        .await;
    assert_eq!(odd, (400, "M_BAD_JSON".into()));
    let long = json!({ "presence": "online", "status_msg": "x".repeat(2_000) });
    assert_eq!(
        town.refused("alice", "PUT", path, long).await,
        (413, "M_TOO_LARGE".into())
    );
}

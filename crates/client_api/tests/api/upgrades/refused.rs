//! Who may not replace a room, and what a refused upgrade leaves behind.

use serde_json::{Value, json};

use crate::server::{Server, on_both_engines};

on_both_engines! {
    shared_postgres;
    only_who_may_send_a_tombstone_upgrades,
    what_is_no_version_or_creator_is_refused,
    a_room_is_replaced_once,
    what_is_too_much_for_one_change_changes_nothing,
}

fn to(version: &str) -> Value {
    json!({ "new_version": version })
}

async fn only_who_may_send_a_tombstone_upgrades(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let (bob, carol) = (node.someone("bob").await, node.someone("carol").await);
    let gone = node.someone("gone").await;
    let body = json!({
        "preset": "public_chat",
        "power_level_content_override": { "users": { &carol.user_id: 100 } },
    });
    // In version 12 a tombstone needs more power than an administrator has.
    let room = node.create(&alice, body).await;
    for user in [&bob, &carol, &gone] {
        node.go(user, "join", &room).await;
    }
    node.go(&gone, "leave", &room).await;
    let forbidden = (403, "M_FORBIDDEN".to_owned());
    for user in [&bob, &carol, &gone, &node.someone("stranger").await] {
        assert_eq!(node.no_upgrade(user, &room, to("12")).await, forbidden);
    }
    let nowhere = node.no_upgrade(&alice, "!nowhere:localhost", to("12"));
    assert_eq!(nowhere.await, forbidden);
    let path = format!("/_matrix/client/v3/rooms/{room}/upgrade");
    let refused = node.refused("", "POST", &path, &to("12").to_string()).await;
    assert_eq!(refused, (401, "M_MISSING_TOKEN".into()));
    assert_eq!(
        node.state(&alice, &room, "m.room.tombstone", "").await,
        Value::Null
    );
    node.upgrade(&alice, &room, "12").await;
}

async fn what_is_no_version_or_creator_is_refused(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    for (body, errcode) in [
        (to("13"), "M_UNSUPPORTED_ROOM_VERSION"),
        (to("org.example.new"), "M_UNSUPPORTED_ROOM_VERSION"),
        (to(""), "M_BAD_JSON"),
        (json!({ "new_version": 12 }), "M_BAD_JSON"),
        (json!({}), "M_BAD_JSON"),
        (
            json!({ "new_version": "12", "additional_creators": "bob" }),
            "M_BAD_JSON",
        ),
        (
            json!({ "new_version": "12", "additional_creators": ["bob"] }),
            "M_BAD_JSON",
        ),
    ] {
        let refused = node.no_upgrade(&alice, &room, body.clone()).await;
        assert_eq!(refused, (400, errcode.to_owned()), "{body}");
    }
    assert_eq!(
        node.state(&alice, &room, "m.room.tombstone", "").await,
        Value::Null
    );
}

async fn a_room_is_replaced_once(server: Server) {
    let node = server.node().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    let body = json!({
        "preset": "public_chat",
        "power_level_content_override": { "users": { &alice.user_id: 100, &bob.user_id: 100 } },
    });
    let room = node.versioned(&alice, "11", body).await;
    node.go(&bob, "join", &room).await;
    let new = node.upgrade(&alice, &room, "12").await;
    // A client that lost the answer asks again.
    assert_eq!(node.upgrade(&alice, &room, "12").await, new);
    let joined = node.get(&alice, "joined_rooms").await;
    assert_eq!(joined["joined_rooms"].as_array().unwrap().len(), 2);
    let replaced = (400, "M_BAD_STATE".to_owned());
    assert_eq!(node.no_upgrade(&bob, &room, to("12")).await, replaced);
    assert_eq!(node.no_upgrade(&alice, &room, to("11")).await, replaced);
    let creators = json!({ "new_version": "12", "additional_creators": [bob.user_id] });
    assert_eq!(node.no_upgrade(&alice, &room, creators).await, replaced);
    // Who takes the tombstone away, or names what does not follow the room, may begin anew.
    let other = json!({ "body": "Moved", "replacement_room": node.public(&alice).await });
    node.set(&alice, &room, ("m.room.tombstone", ""), other)
        .await;
    let newer = node.upgrade(&bob, &room, "12").await;
    assert_ne!(newer, new);
    let tombstone = node.state(&bob, &room, "m.room.tombstone", "").await;
    assert_eq!(tombstone["replacement_room"], newer);
}

async fn what_is_too_much_for_one_change_changes_nothing(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let name = format!("large-{}", alice.localpart());
    let body = json!({ "creation_content": { "type": "m.space" }, "room_alias_name": name });
    let space = node.create(&alice, body).await;
    let content = json!({ "via": ["localhost"], "note": "x".repeat(60_000) });
    for number in 0..13 {
        let child = format!("!child{number}:localhost");
        node.set(&alice, &space, ("m.space.child", &child), content.clone())
            .await;
    }
    let mut client = node.client(&alice).ready().await;
    let refused = node.no_upgrade(&alice, &space, to("12")).await;
    assert_eq!(refused, (413, "M_TOO_LARGE".into()));
    assert!(crate::stage::is_silent(&client.next().await));
    let alias = node
        .get(&alice, &format!("directory/room/%23{name}:localhost"))
        .await;
    assert_eq!(alias["room_id"], space);
}

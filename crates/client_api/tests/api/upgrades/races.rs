//! Upgrades at once, from two nodes.

use serde_json::{Value, json};

use crate::server::Server;

#[tokio::test]
async fn of_two_who_upgrade_at_once_one_makes_the_successor() {
    let server = Server::shared_postgres().await;
    let (one, two) = (server.node().await, server.node().await);
    let (alice, bob) = (one.someone("alice").await, one.someone("bob").await);
    for round in 0..12 {
        let body = json!({
            "preset": "public_chat",
            "power_level_content_override": { "users": { &alice.user_id: 100, &bob.user_id: 100 } },
        });
        let room = one.versioned(&alice, "11", body).await;
        one.go(&bob, "join", &room).await;
        let path = format!("/_matrix/client/v3/rooms/{room}/upgrade");
        let version = if round % 2 == 0 { "12" } else { "11" };
        let body = json!({ "new_version": version }).to_string();
        let (first, second) = tokio::join!(
            one.ask(&alice.token, "POST", &path, body.clone()),
            two.ask(&bob.token, "POST", &path, body),
        );
        let (won, lost) = match first.0.as_u16() {
            200 => (first, second),
            _ => (second, first),
        };
        assert_eq!(
            (won.0.as_u16(), lost.0.as_u16()),
            (200, 400),
            "{won:?} {lost:?}"
        );
        assert_eq!(lost.1["errcode"], "M_BAD_STATE");
        let tombstone = two.state(&alice, &room, "m.room.tombstone", "").await;
        assert_eq!(tombstone["replacement_room"], won.1["replacement_room"]);
    }
    // The old rooms, and of the new ones those that each has made.
    let mut count = 0;
    for user in [&alice, &bob] {
        let joined = two.get(user, "joined_rooms").await;
        count += joined["joined_rooms"].as_array().unwrap().len();
    }
    assert_eq!(count, 12 * 3);
}

#[tokio::test]
async fn one_who_asks_twice_at_once_gets_one_room() {
    let server = Server::shared_postgres().await;
    let (one, two) = (server.node().await, server.node().await);
    let alice = one.someone("alice").await;
    for version in ["11", "12", "11", "12"] {
        let room = one.public(&alice).await;
        let (first, second) = tokio::join!(
            one.upgrade(&alice, &room, version),
            two.upgrade(&alice, &room, version),
        );
        assert_eq!(first, second);
    }
}

#[tokio::test]
async fn what_stands_when_the_tombstone_comes_goes_over() {
    let server = Server::shared_postgres().await;
    let (one, two) = (server.node().await, server.node().await);
    let alice = one.someone("alice").await;
    for round in 0..8 {
        let room = one.public(&alice).await;
        let renaming = async {
            for number in 0..6 {
                let name = json!({ "name": format!("{round}-{number}") });
                two.set(&alice, &room, ("m.room.name", ""), name).await;
            }
        };
        let (new, ()) = tokio::join!(one.upgrade(&alice, &room, "12"), renaming);
        let path = format!("rooms/{room}/messages?dir=b&limit=100");
        let events = one.get(&alice, &path).await["chunk"].clone();
        let events = events.as_array().unwrap();
        let is = |kind: &'static str| move |event: &&Value| event["type"] == kind;
        let tombstone = events
            .iter()
            .position(|event| is("m.room.tombstone")(&event));
        let before = &events[tombstone.unwrap()..];
        let name = before.iter().find(is("m.room.name"));
        let name = name.map_or(Value::Null, |event| event["content"].clone());
        assert_eq!(two.state(&alice, &new, "m.room.name", "").await, name);
    }
}

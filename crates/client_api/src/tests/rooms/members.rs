//! Who comes and goes.

use serde_json::{Value, json};

use super::Town;

async fn memberships(town: &Town, who: &str, path: &str) -> Vec<(String, String)> {
    let chunk = town.get(who, path).await["chunk"].take();
    let mut members: Vec<_> = chunk
        .as_array()
        .unwrap()
        .iter()
        .map(|event| {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            (
                text(&event["state_key"]),
                text(&event["content"]["membership"]),
            )
        })
        .collect();
    members.sort();
    members
}

fn is(user: &str, membership: &str) -> (String, String) {
    (format!("@{user}:localhost"), membership.to_owned())
}

#[tokio::test]
async fn an_invited_person_comes_in_and_goes_again() {
    let town = Town::new();
    let room = town.room(json!({ "preset": "private_chat" })).await;
    let at = |verb: &str| format!("rooms/{room}/{verb}");
    let bob = json!({ "user_id": "@bob:localhost", "reason": "lunch" });
    town.ok("alice", "POST", &at("invite"), bob.clone()).await;
    town.ok("alice", "POST", &at("invite"), bob.clone()).await;
    town.join("bob", &room).await;
    assert_eq!(
        town.get("bob", "joined_rooms").await,
        json!({ "joined_rooms": [room] })
    );
    let joined = town.get("bob", &at("joined_members")).await;
    assert_eq!(joined["joined"].as_object().unwrap().len(), 2);
    town.leave("bob", &room).await;
    town.leave("bob", &room).await;
    assert_eq!(
        town.get("bob", "joined_rooms").await,
        json!({ "joined_rooms": [] })
    );

    town.ok("alice", "POST", &at("invite"), bob.clone()).await;
    town.ok("alice", "POST", &at("kick"), bob.clone()).await;
    assert_eq!(
        town.refused("bob", "POST", &at("join"), json!({})).await,
        (403, "M_FORBIDDEN".into())
    );
    town.ok("alice", "POST", &at("ban"), bob.clone()).await;
    let member = town
        .get("alice", &at("state/m.room.member/@bob:localhost"))
        .await;
    assert_eq!(member, json!({ "membership": "ban", "reason": "lunch" }));
    town.ok("alice", "POST", &at("unban"), bob).await;
    assert_eq!(
        memberships(&town, "alice", &at("members")).await,
        [is("alice", "join"), is("bob", "leave")]
    );
}

#[tokio::test]
async fn a_room_is_joined_by_id_and_by_alias() {
    let town = Town::new();
    let request = json!({ "preset": "public_chat", "room_alias_name": "lobby" });
    let room = town.room(request).await;
    for name in [room.as_str(), "%23lobby:localhost"] {
        let joined = town
            .ok("bob", "POST", format!("join/{name}"), json!({}))
            .await;
        assert_eq!(joined, json!({ "room_id": room }));
        town.leave("bob", &room).await;
    }
    let nowhere = town
        .refused("bob", "POST", "join/%23nowhere:localhost", json!({}))
        .await;
    assert_eq!(nowhere, (404, "M_NOT_FOUND".into()));
    let nowhere = town
        .refused("bob", "POST", "join/!nowhere:localhost", json!({}))
        .await;
    assert_eq!(nowhere, (404, "M_NOT_FOUND".into()));
    let odd = town.refused("bob", "POST", "join/lobby", json!({})).await;
    assert_eq!(odd, (400, "M_INVALID_PARAM".into()));
}

#[tokio::test]
async fn a_knock_is_answered() {
    let town = Town::new();
    let rule = json!([{ "type": "m.room.join_rules", "content": { "join_rule": "knock" } }]);
    let room = town.room(json!({ "initial_state": rule })).await;
    let knocked = town
        .ok(
            "bob",
            "POST",
            format!("knock/{room}"),
            json!({ "reason": "me" }),
        )
        .await;
    assert_eq!(knocked, json!({ "room_id": room }));
    let members = format!("rooms/{room}/members?membership=knock");
    assert_eq!(
        memberships(&town, "alice", &members).await,
        [is("bob", "knock")]
    );
    let bob = json!({ "user_id": "@bob:localhost" });
    town.ok("alice", "POST", format!("rooms/{room}/invite"), bob)
        .await;
    town.join("bob", &room).await;
    let closed = town.public().await;
    let refused = town
        .refused("bob", "POST", format!("knock/{closed}"), json!({}))
        .await;
    assert_eq!(refused, (403, "M_FORBIDDEN".into()));
}

#[tokio::test]
async fn people_who_are_not_here_are_not_invited() {
    let town = Town::new();
    let room = town.public().await;
    let invite = format!("rooms/{room}/invite");
    let cases = [
        ("@nobody:localhost", 404, "M_NOT_FOUND"),
        ("@bob:example.org", 403, "M_FORBIDDEN"),
        ("@alice:localhost", 403, "M_FORBIDDEN"),
    ];
    for (user, status, errcode) in cases {
        let request = json!({ "user_id": user });
        let refused = town.refused("alice", "POST", &invite, request).await;
        assert_eq!(refused, (status, errcode.to_owned()), "{user}");
        let place = format!("rooms/{room}/state/m.room.member/{user}");
        let request = json!({ "membership": "invite" });
        let refused = town.refused("alice", "PUT", &place, request).await;
        assert_eq!(refused, (status, errcode.to_owned()), "{user}");
        // Who is here is no business of those outside.
        let request = json!({ "user_id": user });
        let refused = town.refused("carol", "POST", &invite, request).await;
        assert_eq!(refused, (403, "M_FORBIDDEN".into()), "{user}");
    }
}

#[tokio::test]
async fn members_are_listed_as_they_were() {
    let town = Town::new();
    let room = town.public().await;
    let before = town
        .get("alice", format!("rooms/{room}/messages?dir=b"))
        .await;
    let before = before["start"].as_str().unwrap();
    town.join("bob", &room).await;
    let at = |query: &str| format!("rooms/{room}/members{query}");
    let (alice, bob) = (is("alice", "join"), is("bob", "join"));
    let list = async |who, query: &str| memberships(&town, who, &at(query)).await;
    assert_eq!(list("alice", "").await, [alice.clone(), bob.clone()]);
    assert_eq!(
        list("alice", &format!("?at={before}")).await,
        [is("alice", "join")]
    );
    town.leave("bob", &room).await;
    town.join("carol", &room).await;
    assert_eq!(
        list("alice", "?not_membership=leave").await,
        [alice.clone(), is("carol", "join")]
    );
    // Who has left sees who was there then.
    assert_eq!(list("bob", "").await, [alice.clone(), is("bob", "leave")]);
    assert_eq!(list("bob", "?membership=join").await, [alice]);
    let refused = town.refused(
        "bob",
        "GET",
        format!("rooms/{room}/joined_members"),
        Value::Null,
    );
    assert_eq!(refused.await, (403, "M_FORBIDDEN".into()));
    let odd = town
        .refused("alice", "GET", &at("?at=yesterday"), Value::Null)
        .await;
    assert_eq!(odd, (400, "M_INVALID_PARAM".into()));
}

#[tokio::test]
async fn a_room_is_forgotten_after_it_was_left() {
    let town = Town::new();
    let room = town.public().await;
    let forget = format!("rooms/{room}/forget");
    town.join("bob", &room).await;
    assert_eq!(
        town.refused("bob", "POST", &forget, json!({})).await,
        (400, "M_UNKNOWN".into())
    );
    town.leave("bob", &room).await;
    town.get("bob", format!("rooms/{room}/messages?dir=b"))
        .await;
    town.ok("bob", "POST", &forget, json!({})).await;
    let read = town.refused(
        "bob",
        "GET",
        format!("rooms/{room}/messages?dir=b"),
        Value::Null,
    );
    assert_eq!(read.await, (403, "M_FORBIDDEN".into()));
}

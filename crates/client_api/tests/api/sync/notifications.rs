//! The list of what somebody was notified of.

use serde_json::{Value, json};

use crate::{
    server::{Node, Server, User, on_both_engines},
    stage::encoded,
};

on_both_engines! {
    shared_postgres;
    notifications_of_all_rooms_come_newest_first,
    pages_follow_on_each_other_without_a_hole_or_an_overlap,
    only_what_concerned_the_user_is_told,
    what_stands_out_can_be_asked_for_alone,
    what_was_read_is_told_as_read,
    a_redacted_event_is_told_as_it_is_now,
    many_silent_rooms_end_no_list_early,
}

async fn page(node: &Node, user: &User, query: &str) -> Value {
    node.get(user, &format!("notifications?{query}")).await
}

/// Everything, page by page.
async fn all(node: &Node, user: &User, query: &str) -> Vec<Value> {
    let (mut all, mut from) = (Vec::new(), String::new());
    for _ in 0..128 {
        let page = page(node, user, &format!("{query}{from}")).await;
        all.extend(page["notifications"].as_array().unwrap().iter().cloned());
        match page.get("next_token") {
            Some(token) => from = format!("&from={}", encoded(token.as_str().unwrap())),
            None => return all,
        }
    }
    panic!("the list does not end")
}

fn ids(notifications: &[Value]) -> Vec<&str> {
    let ids = notifications.iter();
    ids.map(|told| told["event"]["event_id"].as_str().unwrap())
        .collect()
}

/// Alice's rooms, which Bob is in.
async fn rooms(node: &Node, alice: &User, bob: &User, count: usize) -> Vec<String> {
    let mut rooms = Vec::new();
    for _ in 0..count {
        let room = node.public(alice).await;
        node.go(bob, "join", &room).await;
        rooms.push(room);
    }
    rooms
}

async fn notifications_of_all_rooms_come_newest_first(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    assert_eq!(page(&node, &bob, "").await, json!({ "notifications": [] }));
    let rooms = rooms(&node, &alice, &bob, 3).await;
    let mut said = Vec::new();
    for turn in [0, 1, 2, 1, 1, 0, 2] {
        said.insert(0, node.say(&alice, &rooms[turn], "x").await);
        node.say(&bob, &rooms[turn], "own words").await;
    }
    let page = page(&node, &bob, "limit=50").await;
    let told = page["notifications"].as_array().unwrap();
    assert_eq!(ids(told), said);
    assert!(page.get("next_token").is_none());
    assert_eq!(told[0]["room_id"], rooms[2]);
    assert_eq!(told[0]["ts"], told[0]["event"]["origin_server_ts"]);
    assert_eq!(told[0]["event"]["content"]["body"], "x");
    // Two are in each room: the rule for that has a sound.
    let actions = json!(["notify", { "set_tweak": "sound", "value": "default" }]);
    assert_eq!(told[0]["actions"], actions);
}

async fn pages_follow_on_each_other_without_a_hole_or_an_overlap(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let rooms = rooms(&node, &alice, &bob, 4).await;
    let mut said = Vec::new();
    for turn in 0..90 {
        let room = &rooms[turn * turn % 7 % 4];
        if turn % 5 == 0 {
            node.send(&alice, room, "org.example.quiet", json!({}))
                .await;
        } else {
            said.insert(0, node.say(&alice, room, "x").await);
        }
    }
    for limit in [1, 7, 100] {
        let told = all(&node, &bob, &format!("limit={limit}")).await;
        assert_eq!(ids(&told), said, "{limit}");
    }
    let first = page(&node, &bob, "limit=5").await;
    // What is said later comes on no later page.
    node.say(&alice, &rooms[0], "later").await;
    let from = encoded(first["next_token"].as_str().unwrap());
    let second = page(&node, &bob, &format!("limit=5&from={from}")).await;
    assert_eq!(
        ids(second["notifications"].as_array().unwrap()),
        said[5..10]
    );
}

async fn only_what_concerned_the_user_is_told(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let carol = node.someone("carol").await;
    let mallory = node.someone("mallory").await;
    let room = node.public(&alice).await;
    node.say(&alice, &room, "before bob came").await;
    for person in [&bob, &carol, &mallory] {
        node.go(person, "join", &room).await;
    }
    let first = node.say(&alice, &room, "heard").await;
    node.go(&bob, "leave", &room).await;
    node.say(&alice, &room, "while bob was away").await;
    node.go(&bob, "join", &room).await;
    let second = node.say(&carol, &room, "heard again").await;
    node.say(&mallory, &room, "ignored").await;
    let muted = node.public(&alice).await;
    node.go(&bob, "join", &muted).await;
    node.say(&alice, &muted, "muted").await;
    let rule = json!({
        "conditions": [{ "kind": "event_match", "key": "room_id", "pattern": muted }],
        "actions": [],
    });
    let path = format!("pushrules/global/override/{muted}");
    node.call(&bob, "PUT", &path, rule).await;
    let ignoring = json!({ "ignored_users": { &mallory.user_id: {} } });
    node.keep(&bob, None, "m.ignored_user_list", ignoring).await;
    let asked = node.create(&alice, json!({})).await;
    node.say(&alice, &asked, "before the invitation").await;
    node.on(&alice, "invite", &asked, &bob).await;
    node.say(&alice, &asked, "not for the invited").await;
    let told = all(&node, &bob, "limit=2").await;
    assert_eq!(ids(&told)[1..], [second.as_str(), first.as_str()]);
    let invitation = &told[0];
    assert_eq!(invitation["room_id"], asked);
    assert_eq!(invitation["event"]["content"]["membership"], "invite");
    assert_eq!(invitation["event"]["state_key"], bob.user_id);
    // What was forgotten is gone from the list.
    node.go(&bob, "leave", &room).await;
    assert_eq!(all(&node, &bob, "").await.len(), 3);
    node.go(&bob, "forget", &room).await;
    let told = all(&node, &bob, "").await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["room_id"], asked);
}

async fn what_stands_out_can_be_asked_for_alone(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = &rooms(&node, &alice, &bob, 1).await[0];
    node.say(&alice, room, "for everybody").await;
    let named = json!({
        "msgtype": "m.text", "body": "x", "m.mentions": { "user_ids": [bob.user_id] },
    });
    let named = node.send(&alice, room, "m.room.message", named).await;
    node.say(&alice, room, "for everybody").await;
    let told = all(&node, &bob, "only=highlight").await;
    assert_eq!(ids(&told), [named]);
    assert!(
        told[0]["actions"]
            .as_array()
            .unwrap()
            .contains(&json!({ "set_tweak": "highlight" })),
        "{}",
        told[0]["actions"]
    );
    assert_eq!(all(&node, &bob, "limit=2").await.len(), 3);
}

async fn what_was_read_is_told_as_read(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = &rooms(&node, &alice, &bob, 1).await[0];
    let root = node.say(&alice, room, "root").await;
    let answer = json!({
        "msgtype": "m.text", "body": "answer",
        "m.relates_to": { "rel_type": "m.thread", "event_id": root },
    });
    let answer = node.send(&alice, room, "m.room.message", answer).await;
    let last = node.say(&alice, room, "last").await;
    let read = async || {
        let told = all(&node, &bob, "").await;
        let read = told.iter().filter(|told| told["read"] == true);
        let read: Vec<_> = read.cloned().collect();
        let mut ids: Vec<_> = ids(&read).into_iter().map(str::to_owned).collect();
        ids.reverse();
        ids
    };
    assert!(read().await.is_empty());
    node.read(
        &bob,
        room,
        "m.read.private",
        &last,
        json!({ "thread_id": "main" }),
    )
    .await;
    assert_eq!(read().await, [root.clone(), last.clone()]);
    node.read(&bob, room, "m.read", &answer, json!({ "thread_id": root }))
        .await;
    assert_eq!(read().await, [root, answer, last]);
}

async fn a_redacted_event_is_told_as_it_is_now(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = &rooms(&node, &alice, &bob, 1).await[0];
    let said = node.say(&alice, room, "a mistake").await;
    node.redact(&alice, room, &said).await;
    let told = all(&node, &bob, "").await;
    let told = told
        .iter()
        .find(|told| told["event"]["event_id"] == said)
        .unwrap();
    assert_eq!(told["event"]["content"], json!({}));
    assert!(told["event"]["unsigned"]["redacted_because"].is_object());
}

async fn many_silent_rooms_end_no_list_early(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    // More rooms than one page looks into, and in each of them the last word is Bob's.
    let rooms = rooms(&node, &alice, &bob, 66).await;
    let mut said = Vec::new();
    for room in rooms.iter().step_by(13) {
        said.insert(0, node.say(&alice, room, "x").await);
    }
    for room in &rooms {
        node.say(&bob, room, "own words").await;
    }
    for limit in [1, 100] {
        let told = all(&node, &bob, &format!("limit={limit}")).await;
        assert_eq!(ids(&told), said, "{limit}");
    }
}

//! Timelines and the state before them: gaps, what stands beside events.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use crate::{
    server::{Node, Server, User, on_both_engines},
    stage::{events, ids, joined, members, of_type, texts, types},
};

on_both_engines! {
    shared_postgres;
    a_gap_is_filled_by_messages_without_a_hole_or_an_overlap,
    state_and_timeline_together_are_the_room_and_share_no_event,
    state_that_changed_in_a_gap_is_told_before_the_timeline,
    a_limit_is_obeyed_also_when_it_is_nothing,
    a_room_that_is_joined_comes_whole_whatever_the_token,
    a_transaction_is_told_to_the_device_that_made_it,
    an_event_tells_its_age_and_what_it_replaced,
    a_redaction_is_told_and_stands_beside_what_it_took,
}

fn limit(limit: u32) -> Value {
    json!({ "room": { "timeline": { "limit": limit } } })
}

/// Reads backwards from a token until nothing is left, oldest event first.
async fn history(
    node: &Node,
    user: &User,
    room: &str,
    from: &str,
    to: Option<&str>,
) -> Vec<String> {
    let mut from = from.to_owned();
    let mut read = Vec::new();
    loop {
        let to = to.map_or(String::new(), |to| format!("&to={to}"));
        let path = format!("rooms/{room}/messages?dir=b&limit=3&from={from}{to}");
        let page = node.get(user, &path).await;
        let chunk = page["chunk"].as_array().unwrap();
        let ids = chunk
            .iter()
            .map(|event| event["event_id"].as_str().unwrap());
        read.extend(ids.map(ToOwned::to_owned));
        match page["end"].as_str() {
            Some(end) if !chunk.is_empty() => from = end.to_owned(),
            _ => break,
        }
    }
    read.reverse();
    read
}

async fn a_gap_is_filled_by_messages_without_a_hole_or_an_overlap(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let mut said = vec![node.say(&alice, &room, "before").await];
    let mut client = node.client(&alice).filtered(&limit(4)).ready().await;
    let since = client.since.clone().unwrap();
    for number in 0..11 {
        said.push(node.say(&alice, &room, &format!("{number}")).await);
    }
    let answer = client.next().await;
    let timeline = &joined(&answer, &room)["timeline"];
    assert_eq!(timeline["limited"], true);
    assert_eq!(texts(timeline), ["7", "8", "9", "10"]);
    let prev = timeline["prev_batch"].as_str().unwrap();
    let mut gap = history(&node, &alice, &room, prev, Some(&since)).await;
    gap.extend(ids(timeline).into_iter().map(ToOwned::to_owned));
    assert_eq!(gap, said[1..]);
    let all = history(&node, &alice, &room, prev, None).await;
    assert_eq!(all.len() + 4, 7 - 1 + said.len(), "{all:?}");
    assert!(all.ends_with(&said[..8]));
    // Exactly as many as wanted are no gap.
    for number in 0..4 {
        node.say(&alice, &room, &format!("more {number}")).await;
    }
    let answer = client.next().await;
    assert_eq!(joined(&answer, &room)["timeline"]["limited"], false);
    // What the first sync leaves out is there to be read too.
    let first = node.client(&alice).filtered(&limit(2)).next().await;
    let timeline = &joined(&first, &room)["timeline"];
    assert_eq!(timeline["limited"], true);
    let prev = timeline["prev_batch"].as_str().unwrap();
    let before = history(&node, &alice, &room, prev, None).await;
    assert_eq!(before.len() + 2, all.len() + 8);
}

/// What a client believes the state to be.
#[derive(Default)]
struct Believed(BTreeMap<(String, String), String>);

impl Believed {
    /// Takes what one answer says, and counts the events.
    fn learn(&mut self, told: &Value) -> usize {
        let mut seen = Vec::new();
        for list in [&told["state"], &told["timeline"]] {
            for event in events(list) {
                let id = event["event_id"].as_str().unwrap().to_owned();
                assert!(!seen.contains(&id), "{id} is told twice");
                seen.push(id.clone());
                if let Some(key) = event["state_key"].as_str() {
                    let kind = event["type"].as_str().unwrap().to_owned();
                    self.0.insert((kind, key.to_owned()), id);
                }
            }
        }
        seen.len()
    }

    async fn check(&self, node: &Node, user: &User, room: &str) {
        let state = node.get(user, &format!("rooms/{room}/state")).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let state: BTreeMap<_, _> = state
            .as_array()
            .unwrap()
            .iter()
            .map(|event| {
                let slot = (text(&event["type"]), text(&event["state_key"]));
                (slot, text(&event["event_id"]))
            })
            .collect();
        assert_eq!(self.0, state);
    }
}

async fn state_and_timeline_together_are_the_room_and_share_no_event(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&alice).await;
    for topic in ["a", "b"] {
        let content = json!({ "topic": topic });
        node.set(&alice, &room, ("m.room.topic", ""), content).await;
    }
    for size in [1, 3, 5, 100] {
        let mut client = node.client(&alice).filtered(&limit(size));
        let mut believed = Believed::default();
        believed.learn(joined(&client.next().await, &room));
        believed.check(&node, &alice, &room).await;
        node.go(&bob, "join", &room).await;
        for name in ["x", "y"] {
            let content = json!({ "name": name });
            node.set(&alice, &room, ("m.room.name", ""), content).await;
            node.say(&alice, &room, name).await;
        }
        node.go(&bob, "leave", &room).await;
        node.say(&alice, &room, "z").await;
        believed.learn(joined(&client.next().await, &room));
        believed.check(&node, &alice, &room).await;
    }
}

async fn state_that_changed_in_a_gap_is_told_before_the_timeline(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let mut client = node.client(&alice).filtered(&limit(2)).ready().await;
    node.set(
        &alice,
        &room,
        ("m.room.topic", ""),
        json!({"topic": "early"}),
    )
    .await;
    let last = node
        .set(
            &alice,
            &room,
            ("m.room.topic", ""),
            json!({"topic": "in the gap"}),
        )
        .await;
    node.say(&alice, &room, "one").await;
    node.set(
        &alice,
        &room,
        ("m.room.name", ""),
        json!({"name": "in the timeline"}),
    )
    .await;
    let answer = client.next().await;
    let told = joined(&answer, &room);
    assert_eq!(ids(&told["state"]), [last]);
    assert_eq!(types(&told["timeline"]), ["m.room.message", "m.room.name"]);
    assert_eq!(told["timeline"]["limited"], true);
}

async fn a_limit_is_obeyed_also_when_it_is_nothing(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    for number in 0..12 {
        node.say(&alice, &room, &format!("{number}")).await;
    }
    let count = async |filter: &Value| {
        let answer = node.client(&alice).filtered(filter).next().await;
        let told = joined(&answer, &room);
        assert_eq!(told["timeline"]["limited"], true);
        assert!(types(&told["state"]).contains(&"m.room.create"));
        events(&told["timeline"]).len()
    };
    assert_eq!(count(&json!({})).await, 10);
    assert_eq!(count(&limit(3)).await, 3);
    assert_eq!(count(&limit(0)).await, 0);
    let mut client = node.client(&alice).filtered(&limit(0)).ready().await;
    let topic = node
        .set(&alice, &room, ("m.room.topic", ""), json!({"topic": "t"}))
        .await;
    let answer = client.next().await;
    assert_eq!(ids(&joined(&answer, &room)["state"]), [topic]);
}

async fn a_room_that_is_joined_comes_whole_whatever_the_token(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&alice).await;
    node.say(&alice, &room, "before bob looked").await;
    let kept = json!({ "n": 1 });
    node.keep(&bob, Some(&room), "x.y", kept).await;
    let mut client = node.client(&bob).filtered(&limit(3)).ready().await;
    node.say(&alice, &room, "after bob looked").await;
    node.go(&bob, "join", &room).await;
    let answer = client.next().await;
    let told = joined(&answer, &room);
    assert_eq!(
        texts(&told["timeline"]),
        ["before bob looked", "after bob looked"]
    );
    assert_eq!(told["timeline"]["limited"], true);
    let state = types(&told["state"]);
    for kind in ["m.room.create", "m.room.join_rules", "m.room.power_levels"] {
        assert!(state.contains(&kind), "{kind}: {state:?}");
    }
    assert_eq!(members(&told["state"]), [(&*alice.user_id, "join")]);
    assert_eq!(told["summary"]["m.joined_member_count"], 2);
    // What bob has kept of the room is told with it.
    assert!(of_type(&told["account_data"], "x.y").is_some());
    // Coming back is coming in.
    node.go(&bob, "leave", &room).await;
    client.next().await;
    node.say(&alice, &room, "while away").await;
    node.go(&bob, "join", &room).await;
    let answer = client.next().await;
    let told = joined(&answer, &room);
    assert!(texts(&told["timeline"]).contains(&"while away"));
    assert!(types(&told["state"]).contains(&"m.room.create"));
    // A new name is no coming in.
    let name = format!("profile/{}/displayname", bob.user_id);
    node.call(&bob, "PUT", &name, json!({"displayname": "Bob"}))
        .await;
    let answer = client.next().await;
    let told = joined(&answer, &room);
    assert_eq!(events(&told["state"]).len(), 0);
    assert_eq!(types(&told["timeline"]), ["m.room.member"]);
}

async fn a_transaction_is_told_to_the_device_that_made_it(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let laptop = node.on_device(&alice, "LAPTOP").await;
    let bob = node.someone("bob").await;
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    let path = format!("rooms/{room}/send/m.room.message/mine");
    let content = json!({ "msgtype": "m.text", "body": "x" });
    node.call(&alice, "PUT", &path, content.clone()).await;
    node.call(&alice, "PUT", &path, content).await;
    for (reader, told) in [
        (&alice, json!("mine")),
        (&laptop, Value::Null),
        (&bob, Value::Null),
    ] {
        let answer = node.client(reader).next().await;
        let timeline = &joined(&answer, &room)["timeline"];
        assert_eq!(texts(timeline), ["x"]);
        let message = of_type(timeline, "m.room.message").unwrap();
        assert_eq!(message["unsigned"]["transaction_id"], told);
    }
}

async fn an_event_tells_its_age_and_what_it_replaced(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let mut client = node.client(&alice).ready().await;
    node.set(&alice, &room, ("m.room.topic", ""), json!({"topic": "a"}))
        .await;
    node.set(&alice, &room, ("m.room.topic", ""), json!({"topic": "b"}))
        .await;
    server
        .deployment
        .clock
        .advance(Duration::from_millis(1_234));
    let answer = client.next().await;
    let timeline = events(&joined(&answer, &room)["timeline"]);
    let [first, second] = timeline else {
        panic!("{timeline:?}")
    };
    assert!(first["unsigned"].get("prev_content").is_none());
    assert_eq!(second["unsigned"]["prev_content"], json!({"topic": "a"}));
    assert_eq!(second["unsigned"]["age"], 1_234);
    assert_eq!(second["unsigned"]["membership"], "join");
}

async fn a_redaction_is_told_and_stands_beside_what_it_took(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let mut client = node.client(&alice).ready().await;
    let said = node.say(&alice, &room, "regret").await;
    assert_eq!(
        texts(&joined(&client.next().await, &room)["timeline"]),
        ["regret"]
    );
    let redaction = node.redact(&alice, &room, &said).await;
    let answer = client.next().await;
    let told = events(&joined(&answer, &room)["timeline"]);
    assert_eq!(told[0]["type"], "m.room.redaction");
    assert_eq!(told[0]["redacts"], said.as_str());
    assert_eq!(told[0]["content"]["redacts"], said.as_str());
    let first = node.client(&alice).next().await;
    let timeline = &joined(&first, &room)["timeline"];
    let message = of_type(timeline, "m.room.message").unwrap();
    assert_eq!(message["content"], json!({}));
    assert_eq!(
        message["unsigned"]["redacted_because"]["event_id"],
        redaction.as_str()
    );
}

//! What is told beside an event of what relates to it.

use std::time::Duration;

use serde_json::{Value, json};

use super::{chunk, related};
use crate::{
    server::{Node, Server, User, on_both_engines},
    stage::{events, joined},
};

on_both_engines! {
    shared_postgres;
    every_way_of_reading_tells_the_same_beside_an_event,
    the_last_valid_edit_is_told,
    an_edit_that_is_redacted_gives_way_to_the_one_before,
    an_encrypted_edit_is_told,
    the_last_event_of_a_thread_is_told_with_its_own_edit,
    references_are_listed_and_annotations_are_not,
    a_sync_tells_it_only_where_it_left_something_out,
    who_came_and_went_is_told_of_what_they_saw,
}

async fn every_way_of_reading_tells_the_same_beside_an_event(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let root = node.say(&alice, &room, "root").await;
    assert!(node.beside(&alice, &room, &root).await.is_null());
    let edit = node
        .relate(&alice, &room, ("m.replace", &root), "better")
        .await;
    let last = node
        .relate(&alice, &room, ("m.thread", &root), "in it")
        .await;
    let reference = node
        .relate(&alice, &room, ("m.reference", &root), "see")
        .await;
    let event = node.event(&alice, &room, &root).await;
    // The event itself is left as it was.
    assert_eq!(event["content"]["body"], "root");
    let wanted = event["unsigned"]["m.relations"].clone();
    let replaced = &wanted["m.replace"];
    assert_eq!(replaced["event_id"], edit.as_str());
    assert_eq!(replaced["content"]["m.new_content"]["body"], "better");
    assert_eq!(replaced["sender"], alice.user_id);
    assert_eq!(replaced["room_id"], room.as_str());
    let thread = &wanted["m.thread"];
    assert_eq!(thread["latest_event"]["event_id"], last.as_str());
    let references = json!({"chunk": [{"event_id": reference}]});
    assert_eq!(wanted["m.reference"], references);
    assert_eq!(wanted.as_object().unwrap().len(), 3);

    let page = node
        .get(&alice, &format!("rooms/{room}/messages?dir=b"))
        .await;
    let read = page["chunk"].as_array().unwrap();
    let around = node
        .get(&alice, &format!("rooms/{room}/context/{root}"))
        .await;
    let before = format!("rooms/{room}/context/{edit}");
    let before = node.get(&alice, &before).await;
    let threads = node.of_room(&alice, &room, "threads").await;
    let mut sync = node.client(&alice).filtered(&latest(4));
    let synced = sync.next().await;
    let timeline = events(&joined(&synced, &room)["timeline"]);
    let ways = [
        read,
        std::slice::from_ref(&around["event"]),
        before["events_before"].as_array().unwrap(),
        threads["chunk"].as_array().unwrap(),
        timeline,
    ];
    for way in ways {
        let mut told = way.iter().filter(|event| event["event_id"] == *root);
        let told = told.next().unwrap();
        assert_eq!(bare(&told["unsigned"]["m.relations"]), bare(&wanted));
    }
    // What relates to what relates is told there too.
    let child = node
        .relate(&alice, &room, ("m.replace", &last), "again")
        .await;
    let relations = format!("relations/{root}/m.thread");
    let page = node.of_room(&alice, &room, &relations).await;
    assert_eq!(chunk(&page), [&*last]);
    let replaced = &page["chunk"][0]["unsigned"]["m.relations"]["m.replace"];
    assert_eq!(replaced["event_id"], child.as_str());
}

/// The newest events of a timeline.
fn latest(limit: u32) -> Value {
    json!({"room": {"timeline": {"limit": limit}}})
}

/// Without what differs from way to way: ages, and the room where it stands elsewhere.
fn bare(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields
                .iter()
                .filter(|(name, _)| !["age", "room_id", "transaction_id"].contains(&name.as_str()));
            kept.map(|(name, value)| (name.clone(), bare(value)))
                .collect()
        }
        Value::Array(items) => items.iter().map(bare).collect(),
        other => other.clone(),
    }
}

async fn edit_of(node: &Node, user: &User, room: &str, event: &str) -> Value {
    let beside = node.beside(user, room, event).await;
    beside["m.replace"]["event_id"].clone()
}

async fn the_last_valid_edit_is_told(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    let said = node.say(&alice, &room, "x").await;
    let told = async || edit_of(&node, &bob, &room, &said).await;
    // Not by another, not of another type, not without anything new, not nothing that is new.
    node.relate(&bob, &room, ("m.replace", &said), "not mine")
        .await;
    let edit = related("m.replace", &said, "another type");
    node.send(&alice, &room, "org.example.note", edit).await;
    for new_content in [Value::Null, json!("text"), json!([])] {
        let mut edit = related("m.replace", &said, "nothing new");
        edit["m.new_content"] = new_content;
        node.send(&alice, &room, "m.room.message", edit).await;
    }
    assert_eq!(told().await, Value::Null);
    let first = node.relate(&alice, &room, ("m.replace", &said), "1").await;
    assert_eq!(told().await, first.as_str());
    // Of the same moment it is the one with the larger id.
    let second = node.relate(&alice, &room, ("m.replace", &said), "2").await;
    assert_eq!(told().await, first.clone().max(second.clone()).as_str());
    server.deployment.clock.advance(Duration::from_millis(1));
    let third = node.relate(&alice, &room, ("m.replace", &said), "3").await;
    let mut empty = related("m.replace", &said, "4");
    empty.as_object_mut().unwrap().remove("m.new_content");
    node.send(&alice, &room, "m.room.message", empty).await;
    assert_eq!(told().await, third.as_str());
    // An edit is not edited, and what was redacted is not either.
    node.relate(&alice, &room, ("m.replace", &third), "5").await;
    assert_eq!(edit_of(&node, &bob, &room, &third).await, Value::Null);
    node.redact(&alice, &room, &said).await;
    assert_eq!(told().await, Value::Null);
    // State is told without what relates to it.
    let topic = node
        .set(&alice, &room, ("m.room.topic", ""), json!({"topic": "x"}))
        .await;
    let edit = related("m.replace", &topic, "6");
    node.send(&alice, &room, "m.room.topic", edit).await;
    node.relate(&alice, &room, ("m.reference", &topic), "7")
        .await;
    assert!(node.beside(&bob, &room, &topic).await.is_null());
}

async fn an_edit_that_is_redacted_gives_way_to_the_one_before(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let said = node.say(&alice, &room, "x").await;
    let mut edits = Vec::new();
    for number in 0..3 {
        server.deployment.clock.advance(Duration::from_millis(1));
        let text = number.to_string();
        edits.push(
            node.relate(&alice, &room, ("m.replace", &said), &text)
                .await,
        );
    }
    while let Some(last) = edits.pop() {
        assert_eq!(edit_of(&node, &alice, &room, &said).await, last.as_str());
        node.redact(&alice, &room, &last).await;
    }
    assert!(node.beside(&alice, &room, &said).await.is_null());
}

async fn an_encrypted_edit_is_told(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let sealed = |relation: Value| {
        let mut content = json!({"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "x",
            "sender_key": "k", "device_id": "PHONE", "session_id": "s"});
        if !relation.is_null() {
            content["m.relates_to"] = relation;
        }
        content
    };
    let kind = "m.room.encrypted";
    let said = node.send(&alice, &room, kind, sealed(Value::Null)).await;
    let edit = sealed(json!({"rel_type": "m.replace", "event_id": said}));
    let edit = node.send(&alice, &room, kind, edit).await;
    assert_eq!(edit_of(&node, &alice, &room, &said).await, edit.as_str());
}

async fn the_last_event_of_a_thread_is_told_with_its_own_edit(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    let root = node.say(&alice, &room, "root").await;
    let last = node.relate(&alice, &room, ("m.thread", &root), "x").await;
    let edit = node.relate(&alice, &room, ("m.replace", &last), "y").await;
    let reference = node.relate(&bob, &room, ("m.reference", &last), "z").await;
    let thread = node.beside(&bob, &room, &root).await["m.thread"].clone();
    assert_eq!(thread["current_user_participated"], false);
    assert_eq!(thread["count"], 1);
    let beside = &thread["latest_event"]["unsigned"]["m.relations"];
    assert_eq!(beside["m.replace"]["event_id"], edit.as_str());
    assert_eq!(
        beside["m.reference"]["chunk"][0]["event_id"],
        reference.as_str()
    );
    node.relate(&bob, &room, ("m.thread", &root), "mine").await;
    let thread = node.beside(&bob, &room, &root).await["m.thread"].clone();
    assert_eq!(thread["current_user_participated"], true);
    assert_eq!(thread["count"], 2);
    assert!(
        thread["latest_event"]["unsigned"]
            .get("m.relations")
            .is_none()
    );
}

async fn references_are_listed_and_annotations_are_not(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let said = node.say(&alice, &room, "x").await;
    node.react(&alice, &room, &said, "👍").await;
    assert!(node.beside(&alice, &room, &said).await.is_null());
    let mut wanted = Vec::new();
    for number in 0..3 {
        let text = number.to_string();
        let reference = node.relate(&alice, &room, ("m.reference", &said), &text);
        wanted.push(json!({ "event_id": reference.await }));
    }
    let beside = node.beside(&alice, &room, &said).await;
    assert_eq!(beside, json!({"m.reference": {"chunk": wanted}}));
}

async fn a_sync_tells_it_only_where_it_left_something_out(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    let mut follows = node.client(&bob).ready().await;
    let mut lags = node.client(&bob).filtered(&latest(3)).ready().await;
    let root = node.say(&alice, &room, "root").await;
    let edit = node
        .relate(&alice, &room, ("m.replace", &root), "better")
        .await;
    let answer = follows.next().await;
    let timeline = &joined(&answer, &room)["timeline"];
    assert_eq!(timeline["limited"], false);
    assert_eq!(events(timeline).len(), 2);
    let told = |event: &Value| event["unsigned"].get("m.relations").is_some();
    assert!(!events(timeline).iter().any(told));
    // Somebody who follows is told of what relates to an event, and not of the event again.
    let last = node
        .relate(&alice, &room, ("m.thread", &root), "in it")
        .await;
    let answer = follows.next().await;
    let timeline = events(&joined(&answer, &room)["timeline"]);
    assert_eq!(timeline.len(), 1);
    assert_eq!(timeline[0]["event_id"], last.as_str());
    let later = node.say(&alice, &room, "later").await;
    node.relate(&alice, &room, ("m.replace", &later), "last")
        .await;
    let answer = lags.next().await;
    let timeline = &joined(&answer, &room)["timeline"];
    assert_eq!(timeline["limited"], true);
    let told: Vec<_> = events(timeline)
        .iter()
        .filter(|event| told(event))
        .collect();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["event_id"], later.as_str());
    assert_eq!(edit_of(&node, &bob, &room, &root).await, edit.as_str());
}

async fn who_came_and_went_is_told_of_what_they_saw(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&alice).await;
    let joined = json!({"history_visibility": "joined"});
    node.set(&alice, &room, ("m.room.history_visibility", ""), joined)
        .await;
    node.go(&bob, "join", &room).await;
    let root = node.say(&alice, &room, "root").await;
    let (mut references, mut seen) = (Vec::new(), 0);
    for round in 0..6 {
        server.deployment.clock.advance(Duration::from_millis(1));
        let is_there = round % 2 == 0;
        for rel_type in ["m.thread", "m.replace", "m.reference"] {
            let text = round.to_string();
            let child = node.relate(&alice, &room, (rel_type, &root), &text).await;
            if rel_type == "m.reference" && is_there {
                references.push(json!({ "event_id": child }));
            }
        }
        seen += u64::from(is_there);
        node.go(&bob, if is_there { "leave" } else { "join" }, &room)
            .await;
        let beside = node.beside(&bob, &room, &root).await;
        let thread = &beside["m.thread"];
        let last = (round - round % 2).to_string();
        assert_eq!(thread["count"], seen);
        assert_eq!(thread["latest_event"]["content"]["body"], last.as_str());
        assert_eq!(beside["m.replace"]["content"]["body"], last.as_str());
        assert_eq!(beside["m.reference"]["chunk"], json!(references));
    }
}

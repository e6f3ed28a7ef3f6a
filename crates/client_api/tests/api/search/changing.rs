//! What becomes of what was said: edited, taken back.

use std::time::Duration;

use serde_json::json;

use super::edit;
use crate::server::{Server, on_both_engines};

on_both_engines! {
    postgres;
    a_message_is_found_by_its_last_edit,
    an_edit_that_is_none_changes_nothing,
    who_may_not_see_an_edit_finds_what_they_see,
    what_was_taken_back_is_not_found_at_once,
    an_edit_that_is_taken_back_gives_way,
    a_name_that_was_taken_back_is_not_found,
}

async fn a_message_is_found_by_its_last_edit(mut server: Server) {
    let node = server.searched().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let said = node.say(&alice, &room, "copper wire").await;
    let later = node.say(&alice, &room, "wire").await;
    node.settle(&alice, &room).await;
    assert_eq!(node.finds(&alice, "copper").await, [&*said]);
    server.deployment.clock.advance(Duration::from_millis(1));
    node.send(&alice, &room, "m.room.message", edit(&said, "silver wire"))
        .await;
    // At once, before the index has the edit: the old text is shown to nobody.
    assert_eq!(node.finds(&alice, "copper").await, [""; 0]);
    node.settle(&alice, &room).await;
    assert_eq!(node.finds(&alice, "copper").await, [""; 0]);
    assert_eq!(node.finds(&alice, "silver").await, [&*said]);
    // It stands where its text was said.
    assert_eq!(node.finds(&alice, "wire").await, [&*said, &later]);
    server.deployment.clock.advance(Duration::from_millis(1));
    node.send(&alice, &room, "m.room.message", edit(&said, "金线"))
        .await;
    node.settle(&alice, &room).await;
    assert_eq!(node.finds(&alice, "wire").await, [&*later]);
    assert_eq!(node.finds(&alice, "金").await, [&*said]);
    // What is told is the message, with its edit beside it.
    let found = node.search(&alice, json!({ "search_term": "金线" })).await;
    let result = &found["results"][0]["result"];
    assert_eq!(result["content"]["body"], "copper wire");
    let told = &result["unsigned"]["m.relations"]["m.replace"];
    assert_eq!(told["content"]["m.new_content"]["body"], "金线");
    assert_eq!(found["highlights"], json!(["金线"]));
}

async fn an_edit_that_is_none_changes_nothing(mut server: Server) {
    let node = server.searched().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    let said = node.say(&alice, &room, "tin").await;
    server.deployment.clock.advance(Duration::from_millis(1));
    node.send(&bob, &room, "m.room.message", edit(&said, "lead"))
        .await;
    let mut without = edit(&said, "zinc");
    without.as_object_mut().unwrap().remove("m.new_content");
    node.send(&alice, &room, "m.room.message", without).await;
    node.send(&alice, &room, "m.room.message", edit("$nothing", "iron"))
        .await;
    node.settle(&alice, &room).await;
    assert_eq!(node.finds(&alice, "tin").await, [&*said]);
    for term in ["lead", "zinc", "iron"] {
        assert_eq!(node.finds(&alice, term).await, [""; 0], "{term}");
    }
}

async fn who_may_not_see_an_edit_finds_what_they_see(mut server: Server) {
    let node = server.searched().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    let said = node.say(&alice, &room, "nickel").await;
    node.go(&bob, "leave", &room).await;
    server.deployment.clock.advance(Duration::from_millis(1));
    node.send(&alice, &room, "m.room.message", edit(&said, "cobalt"))
        .await;
    node.settle(&alice, &room).await;
    assert_eq!(node.finds(&alice, "nickel").await, [""; 0]);
    assert_eq!(node.finds(&alice, "cobalt").await, [&*said]);
    assert_eq!(node.finds(&bob, "nickel").await, [&*said]);
    assert_eq!(node.finds(&bob, "cobalt").await, [""; 0]);
}

async fn what_was_taken_back_is_not_found_at_once(mut server: Server) {
    let node = server.searched().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let said = node.say(&alice, &room, "mercury 水银").await;
    let kept = node.say(&alice, &room, "mercury").await;
    node.settle(&alice, &room).await;
    assert_eq!(node.finds(&alice, "mercury").await, [&*kept, &said]);
    node.redact(&alice, &room, &said).await;
    assert_eq!(node.finds(&alice, "mercury").await, [&*kept]);
    node.settle(&alice, &room).await;
    assert_eq!(node.finds(&alice, "mercury").await, [&*kept]);
    assert_eq!(node.finds(&alice, "水银").await, [""; 0]);
    // Nothing of it is left in the index, so that it is not even counted.
    let criteria = json!({ "search_term": "mercury", "filter": { "limit": 1 } });
    let found = node.search(&alice, criteria).await;
    assert_eq!(found["count"], 1);
    assert!(found.get("next_batch").is_none());
    // What was said and taken back before the index saw it never comes into it.
    let said = node.say(&alice, &room, "mercury").await;
    node.redact(&alice, &room, &said).await;
    node.settle(&alice, &room).await;
    assert_eq!(node.finds(&alice, "mercury").await, [&*kept]);
}

async fn an_edit_that_is_taken_back_gives_way(mut server: Server) {
    let node = server.searched().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let said = node.say(&alice, &room, "first").await;
    server.deployment.clock.advance(Duration::from_millis(1));
    let second = edit(&said, "second");
    node.send(&alice, &room, "m.room.message", second).await;
    server.deployment.clock.advance(Duration::from_millis(1));
    let third = edit(&said, "third");
    let third = node.send(&alice, &room, "m.room.message", third).await;
    node.settle(&alice, &room).await;
    assert_eq!(node.finds(&alice, "third").await, [&*said]);
    assert_eq!(node.finds(&alice, "second").await, [""; 0]);
    node.redact(&alice, &room, &third).await;
    assert_eq!(node.finds(&alice, "second").await, [&*said]);
    node.settle(&alice, &room).await;
    assert_eq!(node.finds(&alice, "third").await, [""; 0]);
    assert_eq!(node.finds(&alice, "second").await, [&*said]);
    node.redact(&alice, &room, &said).await;
    node.settle(&alice, &room).await;
    for term in ["first", "second", "third"] {
        assert_eq!(node.finds(&alice, term).await, [""; 0], "{term}");
    }
}

async fn a_name_that_was_taken_back_is_not_found(mut server: Server) {
    let node = server.searched().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let slot = ("m.room.name", "");
    let first = node
        .set(&alice, &room, slot, json!({ "name": "chrome" }))
        .await;
    let second = json!({ "name": "chrome and steel" });
    let second = node.set(&alice, &room, slot, second).await;
    node.settle(&alice, &room).await;
    assert_eq!(node.finds(&alice, "chrome").await, [&*second, &first]);
    node.redact(&alice, &room, &first).await;
    assert_eq!(node.finds(&alice, "chrome").await, [&*second]);
    node.settle(&alice, &room).await;
    assert_eq!(node.finds(&alice, "chrome").await, [&*second]);
}

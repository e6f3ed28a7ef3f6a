//! What was asked before there was a sync.

use serde_json::json;

use super::walk::Walk;

pub(super) async fn story(walk: &Walk) {
    let petra = walk.join("petra").await;
    let room = walk.room(&petra, json!({})).await;
    let begin = walk.get(&petra, "initialSync").await;
    assert_eq!(begin["rooms"][0]["room_id"], room);
    let event = walk.say(&petra, &room, "hello").await;
    let from = begin["end"].as_str().unwrap();
    let stream = walk.get(&petra, &format!("events?from={from}")).await;
    assert_eq!(stream["chunk"][0]["event_id"], event);
    let told = walk.get(&petra, &format!("events/{event}")).await;
    assert_eq!(told["content"]["body"], "hello");
    let now = walk.get(&petra, &format!("rooms/{room}/initialSync")).await;
    let last = now["messages"]["chunk"].as_array().unwrap().last().unwrap();
    assert_eq!(last["event_id"], event);
}

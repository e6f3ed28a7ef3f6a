//! Sending at another time, and once.

use serde_json::{Value, json};

use super::bridged;
use crate::{
    server::{Server, on_both_engines},
    stage::count,
};

on_both_engines! {
    a_service_dates_what_it_sends,
    nobody_else_dates_what_they_send,
    a_service_that_sends_again_sends_once,
}

async fn a_service_dates_what_it_sends(server: Server) {
    let server = bridged(server);
    let node = server.node().await;
    let ghost = node.ghost(&format!("irc_ada{}", count())).await;
    let made = node.as_ghost(&ghost, "POST", "createRoom", json!({})).await;
    let room = made["room_id"].as_str().unwrap();
    let send = format!("rooms/{room}/send/m.room.message/t{}?ts=1234567", count());
    let content = json!({ "msgtype": "m.text", "body": "long ago" });
    let sent = node.as_ghost(&ghost, "PUT", &send, content).await;
    let set = format!("rooms/{room}/state/m.room.topic/?ts=7654321");
    let topic = json!({ "topic": "history" });
    let set = node.as_ghost(&ghost, "PUT", &set, topic).await;
    for (answer, ts) in [(sent, 1_234_567), (set, 7_654_321)] {
        let event = answer["event_id"].as_str().unwrap();
        let rest = format!("rooms/{room}/event/{event}");
        let read = node.as_ghost(&ghost, "GET", &rest, Value::Null).await;
        assert_eq!(read["origin_server_ts"], ts, "{read}");
    }
}

async fn nobody_else_dates_what_they_send(server: Server) {
    let server = bridged(server);
    let node = server.node().await;
    let ben = node.someone("ben").await;
    let room = node.public(&ben).await;
    let send = format!("rooms/{room}/send/m.room.message/t{}?ts=1234567", count());
    let content = json!({ "msgtype": "m.text", "body": "now" });
    let sent = node.call(&ben, "PUT", &send, content).await;
    let rest = format!("rooms/{room}/event/{}", sent["event_id"].as_str().unwrap());
    let read = node.get(&ben, &rest).await;
    assert_ne!(read["origin_server_ts"], 1_234_567);
}

async fn a_service_that_sends_again_sends_once(server: Server) {
    let server = bridged(server);
    let node = server.node().await;
    let ghost = node.ghost(&format!("irc_ada{}", count())).await;
    let other = node.ghost(&format!("irc_ben{}", count())).await;
    let room = json!({ "preset": "public_chat" });
    let made = node.as_ghost(&ghost, "POST", "createRoom", room).await;
    let room = made["room_id"].as_str().unwrap();
    let join = format!("rooms/{room}/join");
    node.as_ghost(&other, "POST", &join, json!({})).await;
    let send = format!("rooms/{room}/send/m.room.message/once{}", count());
    let content = json!({ "msgtype": "m.text", "body": "once" });
    let first = node.as_ghost(&ghost, "PUT", &send, content.clone()).await;
    let second = node.as_ghost(&ghost, "PUT", &send, content.clone()).await;
    assert_eq!(first, second);
    // Another of its users counts for itself.
    let third = node.as_ghost(&other, "PUT", &send, content).await;
    assert_ne!(first, third);
}

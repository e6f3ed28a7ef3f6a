//! Account data, receipts, typing, presence.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    server::{Server, on_both_engines},
    stage::{events, is_silent, joined, of_type},
};

on_both_engines! {
    shared_postgres;
    account_data_is_told_once_to_each_device,
    tags_and_push_rules_are_told_when_they_change,
    receipts_are_told_and_private_ones_to_their_owner_alone,
    typing_is_told_with_its_beginning_and_its_end,
    presence_is_told_to_those_who_share_a_room,
}

async fn account_data_is_told_once_to_each_device(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let laptop = node.on_device(&alice, "LAPTOP").await;
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    let mut phone = node.client(&alice).ready().await;
    let mut laptop = node.client(&laptop).ready().await;
    let mut other = node.client(&bob).ready().await;
    node.keep(&alice, None, "x.y", json!({"n": 1})).await;
    node.keep(&alice, None, "x.y", json!({"n": 2})).await;
    node.keep(&alice, Some(&room), "x.z", json!({"n": 3})).await;
    for client in [&mut phone, &mut laptop] {
        let answer = client.next().await;
        let global = json!([{"type": "x.y", "content": {"n": 2}}]);
        assert_eq!(answer["account_data"]["events"], global);
        let of_room = json!([{"type": "x.z", "content": {"n": 3}}]);
        assert_eq!(joined(&answer, &room)["account_data"]["events"], of_room);
        assert!(is_silent(&client.next().await));
    }
    assert!(is_silent(&other.next().await));
    let first = node.client(&alice).next().await;
    assert!(of_type(&first["account_data"], "x.y").is_some());
    assert!(of_type(&joined(&first, &room)["account_data"], "x.z").is_some());
}

async fn tags_and_push_rules_are_told_when_they_change(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let mut client = node.client(&alice).ready().await;
    let tag = format!("user/{}/rooms/{room}/tags/m.favourite", alice.user_id);
    node.call(&alice, "PUT", &tag, json!({"order": 0.5})).await;
    let answer = client.next().await;
    let told = of_type(&joined(&answer, &room)["account_data"], "m.tag").unwrap();
    assert_eq!(told["content"]["tags"]["m.favourite"]["order"], 0.5);
    node.call(&alice, "DELETE", &tag, Value::Null).await;
    let answer = client.next().await;
    let told = of_type(&joined(&answer, &room)["account_data"], "m.tag").unwrap();
    assert_eq!(told["content"]["tags"], json!({}));
    let rule = json!({"pattern": "lunch", "actions": ["notify"]});
    node.call(&alice, "PUT", "pushrules/global/content/lunch", rule)
        .await;
    let answer = client.next().await;
    let told = of_type(&answer["account_data"], "m.push_rules").unwrap();
    assert_eq!(told["content"]["global"]["content"][0]["rule_id"], "lunch");
    assert!(is_silent(&client.next().await));
    let markers = format!("rooms/{room}/read_markers");
    let said = node.say(&alice, &room, "x").await;
    client.next().await;
    node.call(&alice, "POST", &markers, json!({"m.fully_read": said}))
        .await;
    let answer = client.next().await;
    let told = of_type(&joined(&answer, &room)["account_data"], "m.fully_read").unwrap();
    assert_eq!(told["content"]["event_id"], said.as_str());
}

async fn receipts_are_told_and_private_ones_to_their_owner_alone(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    let said = node.say(&alice, &room, "one").await;
    let mut host = node.client(&alice).ready().await;
    let mut client = node.client(&bob).ready().await;
    node.read(&bob, &room, "m.read", &said, json!({})).await;
    for reader in [&mut host, &mut client] {
        let answer = reader.next().await;
        let told = of_type(&joined(&answer, &room)["ephemeral"], "m.receipt").unwrap();
        let receipt = &told["content"][&said]["m.read"][&bob.user_id];
        assert!(receipt["ts"].is_u64() && receipt.get("thread_id").is_none());
        assert!(is_silent(&reader.next().await));
    }
    let said = node.say(&alice, &room, "two").await;
    host.next().await;
    client.next().await;
    host.not_woken_by(node.read(&bob, &room, "m.read.private", &said, json!({})))
        .await;
    assert!(is_silent(&host.next().await));
    let answer = client.next().await;
    let told = of_type(&joined(&answer, &room)["ephemeral"], "m.receipt").unwrap();
    assert!(told["content"][&said]["m.read.private"][&bob.user_id].is_object());
    let main = json!({"thread_id": "main"});
    node.read(&bob, &room, "m.read", &said, main).await;
    let answer = host.next().await;
    let told = of_type(&joined(&answer, &room)["ephemeral"], "m.receipt").unwrap();
    assert_eq!(
        told["content"][&said]["m.read"][&bob.user_id]["thread_id"],
        "main"
    );
    // Who comes in is told where the others are; who begins, too.
    let carol = node.someone("carol").await;
    let mut newcomer = node.client(&carol).ready().await;
    node.go(&carol, "join", &room).await;
    let first = node.client(&carol).next().await;
    for answer in [newcomer.next().await, first] {
        let told = of_type(&joined(&answer, &room)["ephemeral"], "m.receipt").unwrap();
        assert!(told.to_string().contains(&bob.user_id));
        assert!(!told.to_string().contains("m.read.private"));
    }
}

async fn typing_is_told_with_its_beginning_and_its_end(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    let mut client = node.client(&bob).ready().await;
    let path = format!("rooms/{room}/typing/{}", alice.user_id);
    let typists = |answer: &Value| {
        let told = of_type(&joined(answer, &room)["ephemeral"], "m.typing");
        told.map(|event| event["content"]["user_ids"].clone())
    };
    let begin = json!({"typing": true, "timeout": 20_000});
    node.call(&alice, "PUT", &path, begin.clone()).await;
    let answer = client.next().await;
    assert_eq!(typists(&answer), Some(json!([alice.user_id])));
    assert_eq!(events(&joined(&answer, &room)["timeline"]).len(), 0);
    assert!(is_silent(&client.next().await));
    let first = node.client(&bob).next().await;
    assert_eq!(typists(&first), Some(json!([alice.user_id])));
    node.call(&alice, "PUT", &path, json!({"typing": false}))
        .await;
    assert_eq!(typists(&client.next().await), Some(json!([])));
    node.call(&alice, "PUT", &path, begin).await;
    client.next().await;
    let clock = &server.deployment.clock;
    let time = async { clock.advance(Duration::from_secs(21)) };
    let answer = client.woken_by(time).await;
    assert_eq!(typists(&answer), Some(json!([])));
    node.call(
        &alice,
        "PUT",
        &path,
        json!({"typing": true, "timeout": 20_000}),
    )
    .await;
    node.go(&alice, "leave", &room).await;
    let first = node.client(&bob).next().await;
    assert_ne!(
        typists(&first),
        Some(json!([alice.user_id])),
        "who left types no more"
    );
}

async fn presence_is_told_to_those_who_share_a_room(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let carol = node.someone("carol").await;
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    let mut client = node.client(&bob).ready().await;
    let mut stranger = node.client(&carol).ready().await;
    let status = format!("presence/{}/status", alice.user_id);
    let busy = json!({"presence": "unavailable", "status_msg": "busy"});
    node.call(&alice, "PUT", &status, busy).await;
    let answer = client.next().await;
    let told = of_type(&answer["presence"], "m.presence").unwrap();
    assert_eq!(told["sender"], alice.user_id.as_str());
    assert_eq!(told["content"]["presence"], "unavailable");
    assert_eq!(told["content"]["status_msg"], "busy");
    assert!(is_silent(&client.next().await));
    assert!(is_silent(&stranger.next().await));
    // A client that syncs is online, unless it says otherwise.
    let path = "sync?timeout=0";
    node.get(&alice, path).await;
    let answer = client.next().await;
    let told = of_type(&answer["presence"], "m.presence").unwrap();
    assert_eq!(told["content"]["presence"], "online");
    assert_eq!(told["content"]["currently_active"], true);
    // Whom one meets, one learns of.
    node.go(&carol, "join", &room).await;
    let answer = stranger.next().await;
    let told = of_type(&answer["presence"], "m.presence").unwrap();
    assert_eq!(told["sender"], alice.user_id.as_str());
}

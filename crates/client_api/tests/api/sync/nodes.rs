//! Several nodes, nodes that start again, and data that was restored.

use std::time::Duration;

use serde_json::{Value, json};
use store::LocalWrite;

use crate::{
    server::{Server, on_both_engines},
    stage::{is_silent, joined, of_type, texts, types},
};

on_both_engines! {
    a_token_outlives_the_node_that_gave_it,
    after_a_restore_rooms_are_sent_again,
}

/// Two nodes on one database, which only PostgreSQL permits.
mod two {
    use super::*;

    #[tokio::test]
    async fn what_one_node_acknowledged_the_other_tells() {
        let server = Server::shared_postgres().await;
        let (one, two) = (server.node().await, server.node().await);
        let alice = one.someone("alice").await;
        let room = one.public(&alice).await;
        let mut client = two.client(&alice).ready().await;
        for number in 0..20 {
            let text = number.to_string();
            let (from, to) = if number % 2 == 0 {
                (&one, &two)
            } else {
                (&two, &one)
            };
            from.say(&alice, &room, &text).await;
            let mut reader = client.clone().at(to);
            let answer = reader.next().await;
            assert_eq!(texts(&joined(&answer, &room)["timeline"]), [text.as_str()]);
            client.since = reader.since;
        }
    }

    #[tokio::test]
    async fn news_on_one_node_wake_who_waits_on_the_other() {
        let server = Server::shared_postgres().await;
        let (one, two) = (server.node().await, server.node().await);
        let alice = one.someone("alice").await;
        let bob = one.someone("bob").await;
        let room = one.public(&alice).await;
        one.go(&bob, "join", &room).await;
        let mut client = two.client(&bob).ready().await;
        let answer = client.woken_by(one.say(&alice, &room, "hello")).await;
        assert_eq!(texts(&joined(&answer, &room)["timeline"]), ["hello"]);
        let note = one.to_device(&alice, &bob, "PHONE", json!({}));
        let answer = client.woken_by(note).await;
        assert!(answer["to_device"]["events"][0].is_object());
        let typing = format!("rooms/{room}/typing/{}", alice.user_id);
        let begin = json!({"typing": true, "timeout": 9000});
        let answer = client
            .woken_by(one.call(&alice, "PUT", &typing, begin))
            .await;
        assert!(of_type(&joined(&answer, &room)["ephemeral"], "m.typing").is_some());
        let status = format!("presence/{}/status", alice.user_id);
        let away = json!({"presence": "unavailable"});
        let answer = client
            .woken_by(one.call(&alice, "PUT", &status, away))
            .await;
        assert!(of_type(&answer["presence"], "m.presence").is_some());
    }

    #[tokio::test]
    async fn a_client_between_two_nodes_still_waits() {
        let server = Server::shared_postgres().await;
        let (one, two) = (server.node().await, server.node().await);
        let alice = one.someone("alice").await;
        let bob = one.someone("bob").await;
        let room = one.public(&alice).await;
        one.go(&bob, "join", &room).await;
        let status = format!("presence/{}/status", alice.user_id);
        one.call(&alice, "PUT", &status, json!({"presence": "online"}))
            .await;
        let typing = format!("rooms/{room}/typing/{}", alice.user_id);
        one.call(
            &alice,
            "PUT",
            &typing,
            json!({"typing": true, "timeout": 90_000}),
        )
        .await;
        // What it knows of typing and presence the other node cannot know, so it is told all,
        // but only when there is something else to tell, or time is up.
        let mut client = one.client(&bob).ready().await.at(&two);
        let answer = client.woken_by(one.say(&alice, &room, "hello")).await;
        assert_eq!(texts(&joined(&answer, &room)["timeline"]), ["hello"]);
        assert!(of_type(&answer["presence"], "m.presence").is_some());
        assert!(of_type(&joined(&answer, &room)["ephemeral"], "m.typing").is_some());
        let mut client = client.at(&one);
        let clock = &server.deployment.clock;
        let answer = client
            .woken_by(async { clock.advance(Duration::from_secs(61)) })
            .await;
        assert!(of_type(&answer["presence"], "m.presence").is_some());
    }
}

async fn a_token_outlives_the_node_that_gave_it(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    let mut client = node.client(&bob).ready().await;
    node.say(&alice, &room, "one").await;
    node.to_device(&alice, &bob, "PHONE", json!({"n": 1})).await;
    let seen = client.next().await;
    assert_eq!(texts(&joined(&seen, &room)["timeline"]), ["one"]);
    node.say(&alice, &room, "two").await;
    node.to_device(&alice, &bob, "PHONE", json!({"n": 2})).await;
    let since = client.since.clone();
    node.parts.log.stop().await;
    drop(node);
    let node = server.node().await;
    node.say(&alice, &room, "three").await;
    let mut client = node.client(&bob);
    client.since = since;
    let answer = client.next().await;
    assert_eq!(texts(&joined(&answer, &room)["timeline"]), ["two", "three"]);
    let notes = answer["to_device"]["events"].as_array().unwrap();
    assert_eq!(notes.len(), 1);
    assert_eq!(notes[0]["content"]["n"], 2);
    assert!(is_silent(&client.next().await));
}

async fn after_a_restore_rooms_are_sent_again(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    for number in 0..12 {
        node.say(&alice, &room, &number.to_string()).await;
    }
    node.to_device(&alice, &alice, "PHONE", json!({"n": 1}))
        .await;
    let client = node.client(&alice).ready().await;
    let since = client.since.clone();
    let raise = "UPDATE facts SET value = '2' WHERE name = 'epoch'";
    let raise = LocalWrite::new().and(raise, vec![]);
    node.parts.log.write_local(raise).await.unwrap();
    node.parts.log.stop().await;
    drop(node);
    let node = server.node().await;
    let mut client = node.client(&alice);
    client.since = since.clone();
    let answer = client.sync(Duration::from_secs(60)).await;
    let told = joined(&answer, &room);
    assert_eq!(told["timeline"]["limited"], true);
    assert!(types(&told["state"]).contains(&"m.room.create"));
    assert_eq!(texts(&told["timeline"]).len(), 10);
    // What an older token proves is void.
    assert_eq!(answer["to_device"]["events"][0]["content"]["n"], 1);
    assert!(is_silent(&client.next().await));
    let changes = format!(
        "keys/changes?from={}&to={}",
        since.unwrap(),
        client.since.unwrap()
    );
    assert_eq!(node.get(&alice, &changes).await["left"], json!([]));
    let _: Value = answer;
}

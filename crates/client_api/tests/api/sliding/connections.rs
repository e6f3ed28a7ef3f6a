//! Connections: what is remembered of them, for how long, and for whom.

use std::time::Duration;

use serde_json::{Value, json};
use store::LocalWrite;

use super::{Window, list, said, told};
use crate::{
    server::{Node, Server, on_both_engines},
    stage::count,
};

on_both_engines! {
    a_connection_outlives_the_node_that_made_it,
    an_answer_that_is_lost_is_given_again,
    positions_that_are_long_gone_are_not_known,
    a_position_is_of_one_connection,
    nonsense_is_no_position,
    after_a_restore_connections_begin_anew,
    few_connections_are_kept_of_a_device,
    a_position_that_changes_nothing_is_not_written,
}

async fn a_connection_outlives_the_node_that_made_it(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let pos = node.everything(&alice).ready().await.pos;
    node.say(&alice, &room, "hello").await;
    let node = again(&server, node).await;
    let mut window = node.everything(&alice);
    window.pos = pos;
    let answer = window.next().await;
    let update = &answer["rooms"][&room];
    assert_eq!(said(update), ["hello"]);
    assert!(update.get("initial").is_none());
}

async fn an_answer_that_is_lost_is_given_again(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let old = node.public(&alice).await;
    node.public(&alice).await;
    let window = node.window(&alice, json!({ "lists": { "all": list(0, 5) } }));
    let before = window.ready().await;
    node.say(&alice, &old, "hello").await;
    // Twice: another room in view is another state of the connection each time.
    for _ in 0..2 {
        let answer = before.clone().next().await;
        assert_eq!(told(&answer), [&*old]);
        assert_eq!(answer["rooms"][&old]["initial"], true);
    }
    let mut window = before.clone();
    window.next().await;
    // The client goes on from the last one alone.
    node.say(&alice, &old, "again").await;
    let answer = window.next().await;
    assert_eq!(said(&answer["rooms"][&old]), ["again"]);
}

async fn positions_that_are_long_gone_are_not_known(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let mut window = node.everything(&alice).ready().await;
    let first = window.clone();
    for _ in 0..4 {
        node.public(&alice).await;
        window.next().await;
    }
    let (old, new) = (first.pos, window.pos);
    let node = again(&server, node).await;
    let mut window = node.everything(&alice);
    window.pos = new;
    assert!(told(&window.next().await).is_empty());
    window.pos = old;
    window.is_lost().await;
    assert_eq!(told(&window.next().await).len(), 4);
}

async fn a_position_is_of_one_connection(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    node.public(&alice).await;
    let window = node.everything(&alice).ready().await;
    let tablet = node.on_device(&alice, "TABLET").await;
    for other in [&tablet, &bob] {
        let mut stranger = node.everything(other);
        stranger.pos.clone_from(&window.pos);
        stranger.is_lost().await;
    }
    let mut other = window.clone();
    other.asks["conn_id"] = json!("other");
    other.is_lost().await;
    // Two connections do not disturb each other.
    assert_eq!(told(&other.next().await).len(), 1);
    let (mut one, mut two) = (window, other);
    let room = node.public(&alice).await;
    assert_eq!(told(&one.next().await), [&*room]);
    assert_eq!(told(&two.next().await), [&*room]);
    assert!(told(&one.next().await).is_empty() && told(&two.next().await).is_empty());
}

async fn nonsense_is_no_position(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let known = node.everything(&alice).ready().await.pos.unwrap();
    let future = known.replace("c1_s1_1_1_", "c1_s1_1_1_9");
    assert_ne!(known, future);
    for pos in [
        "0",
        "c",
        "c99_s1_1_1_1_0_0_0",
        "s1_1_1_1_0_0_0",
        "%F0%9F%98%80",
        &future,
    ] {
        let mut window = node.everything(&alice);
        window.pos = Some(pos.to_owned());
        window.is_lost().await;
    }
}

async fn after_a_restore_connections_begin_anew(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    node.to_device(&alice, &alice, "PHONE", json!({ "n": 1 }))
        .await;
    let asks = json!({ "lists": { "all": list(9, 9) },
        "extensions": { "to_device": { "enabled": true } } });
    let mut window = node.window(&alice, asks);
    let answer = window.next().await;
    window.asks["extensions"]["to_device"]["since"] =
        answer["extensions"]["to_device"]["next_batch"].clone();
    let Window { asks, pos, .. } = window;
    let raise = "UPDATE facts SET value = '2' WHERE name = 'epoch'";
    let raise = LocalWrite::new().and(raise, vec![]);
    node.parts.log.write_local(raise).await.unwrap();
    let node = again(&server, node).await;
    let mut window = node.window(&alice, asks);
    window.pos = pos;
    window.is_lost().await;
    let answer = window.next().await;
    assert_eq!(told(&answer), [&*room]);
    // What the old token proved is void: the message may have come back, so it is told.
    let events = &answer["extensions"]["to_device"]["events"];
    assert_eq!(events[0]["content"]["n"], 1);
}

/// The server, started again.
async fn again(server: &Server, node: Node) -> Node {
    node.parts.log.stop().await;
    drop(node);
    server.node().await
}

async fn few_connections_are_kept_of_a_device(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    node.public(&alice).await;
    let mut connections = Vec::new();
    for _ in 0..18 {
        let mut window = node.everything(&alice);
        window.asks["conn_id"] = json!(format!("connection-{}", count()));
        server.deployment.clock.advance(Duration::from_secs(1));
        let Window { asks, pos, .. } = window.ready().await;
        connections.push((asks, pos));
    }
    let node = again(&server, node).await;
    let mut lost = 0;
    for (asks, pos) in connections {
        let mut window = node.window(&alice, asks);
        window.pos = pos;
        let path = window.path(Duration::ZERO);
        let asked = node.ask(&alice.token, "POST", &path, window.asks.to_string());
        lost += usize::from(asked.await.0.as_u16() == 400);
    }
    assert_eq!(lost, 2);
}

async fn a_position_that_changes_nothing_is_not_written(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let mut window = node.everything(&alice).ready().await;
    let generation = |window: &Window<'_>| {
        let pos = window.pos.clone().unwrap();
        pos.split_once('_').unwrap().0.to_owned()
    };
    let before = generation(&window);
    for text in ["one", "two"] {
        node.say(&alice, &room, text).await;
        let answer: Value = window.next().await;
        assert_eq!(said(&answer["rooms"][&room]), [text]);
    }
    assert_eq!(generation(&window), before);
    node.public(&alice).await;
    window.next().await;
    assert_ne!(generation(&window), before);
}

/// Two nodes on one database, which only PostgreSQL permits.
mod two {
    use super::*;

    #[tokio::test]
    async fn a_connection_goes_on_at_either_node() {
        let server = Server::shared_postgres().await;
        let (one, two) = (server.node().await, server.node().await);
        let alice = one.someone("alice").await;
        let room = one.public(&alice).await;
        let mut window = one.everything(&alice).ready().await;
        for number in 0..10 {
            let text = number.to_string();
            let (from, to) = if number % 2 == 0 {
                (&one, &two)
            } else {
                (&two, &one)
            };
            from.say(&alice, &room, &text).await;
            // A new room now and then: another state of the connection.
            let other = if number % 3 == 0 {
                Some(from.public(&alice).await)
            } else {
                None
            };
            let mut reader = window.clone().at(to);
            let answer = reader.next().await;
            assert_eq!(said(&answer["rooms"][&room]), [text.as_str()]);
            assert!(answer["rooms"][&room].get("initial").is_none());
            assert_eq!(told(&answer).len(), 1 + usize::from(other.is_some()));
            window.pos = reader.pos;
        }
    }

    #[tokio::test]
    async fn news_on_one_node_wake_who_waits_on_the_other() {
        let server = Server::shared_postgres().await;
        let (one, two) = (server.node().await, server.node().await);
        let alice = one.someone("alice").await;
        let room = one.public(&alice).await;
        let mut window = two.everything(&alice).ready().await;
        let answer = window.woken_by(one.say(&alice, &room, "hello")).await;
        assert_eq!(said(&answer["rooms"][&room]), ["hello"]);
    }
}

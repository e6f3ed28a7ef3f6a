//! When a client that waits is answered.

use std::{pin::pin, time::Duration};

use serde_json::json;
use tokio::time::timeout;

use super::{list, said, told};
use crate::{
    server::{Server, on_both_engines, password_of},
    stage::{A_WHILE, PATIENCE},
};

on_both_engines! {
    shared_postgres;
    a_new_connection_does_not_wait,
    whatever_concerns_the_view_ends_the_waiting,
    what_concerns_others_does_not,
    a_room_that_is_joined_while_waiting_is_listened_to,
    time_that_is_up_ends_the_waiting,
    another_window_does_not_wait,
    a_session_that_ends_ends_its_waiting,
}

async fn a_new_connection_does_not_wait(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let mut window = node.everything(&alice);
    let answer = timeout(PATIENCE, window.sync(Duration::from_secs(60))).await;
    assert_eq!(answer.unwrap()["lists"]["all"]["count"], 0);
}

async fn whatever_concerns_the_view_ends_the_waiting(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&alice).await;
    let other = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    let mut window = node.everything(&bob).ready().await;
    let answer = window.woken_by(node.say(&alice, &room, "hello")).await;
    assert_eq!(said(&answer["rooms"][&room]), ["hello"]);
    let answer = window
        .woken_by(node.on(&alice, "invite", &other, &bob))
        .await;
    assert_eq!(told(&answer), [&*other]);
    let answer = window.woken_by(node.on(&alice, "kick", &room, &bob)).await;
    assert_eq!(told(&answer), [&*room]);
}

async fn what_concerns_others_does_not(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&alice).await;
    let other = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    let mut window = node.everything(&bob).ready().await;
    window
        .not_woken_by(node.say(&alice, &other, "not for bob"))
        .await;
    // Out of view, and not lively: bob is in both now, and looks at one.
    node.go(&bob, "join", &other).await;
    node.say(&alice, &room, "hello").await;
    window.asks = json!({ "lists": { "all": list(0, 1) } });
    window.next().await;
    let topic = json!({ "topic": "t" });
    window
        .not_woken_by(node.set(&alice, &other, ("m.room.topic", ""), topic))
        .await;
}

async fn a_room_that_is_joined_while_waiting_is_listened_to(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&alice).await;
    let mut window = node.everything(&bob).ready().await;
    let answer = window.woken_by(node.go(&bob, "join", &room)).await;
    assert_eq!(answer["rooms"][&room]["initial"], true);
    let answer = window.woken_by(node.say(&alice, &room, "welcome")).await;
    assert_eq!(said(&answer["rooms"][&room]), ["welcome"]);
}

async fn time_that_is_up_ends_the_waiting(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    node.public(&alice).await;
    let mut window = node.everything(&alice).ready().await;
    let clock = &server.deployment.clock;
    let mut waiting = pin!(window.sync(Duration::from_secs(30)));
    assert!(timeout(A_WHILE, &mut waiting).await.is_err());
    clock.advance(Duration::from_secs(31));
    let answer = timeout(PATIENCE, waiting).await.expect("its time is up");
    assert!(told(&answer).is_empty());
}

async fn another_window_does_not_wait(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let old = node.public(&alice).await;
    node.public(&alice).await;
    let window = node.window(&alice, json!({ "lists": { "all": list(0, 1) } }));
    let mut window = window.ready().await;
    window.asks["lists"]["all"]["ranges"] = json!([[0, 1]]);
    let answer = timeout(PATIENCE, window.sync(Duration::from_secs(60))).await;
    assert_eq!(told(&answer.unwrap()), [&*old]);
}

async fn a_session_that_ends_ends_its_waiting(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let window = node.everything(&alice).ready().await;
    let tablet = node.on_device(&alice, "TABLET").await;
    let path = window.path(Duration::from_secs(60));
    let asks = window.asks.to_string();
    let waiting = node.ask(&alice.token, "POST", &path, asks);
    let ending = async {
        let rest = "devices/PHONE";
        let body = json!({ "auth": password_of(alice.localpart()) });
        node.call(&tablet, "DELETE", rest, body).await;
    };
    let (answer, ()) = timeout(PATIENCE, async { tokio::join!(waiting, ending) })
        .await
        .unwrap();
    assert_eq!(
        (answer.0.as_u16(), &answer.1["errcode"]),
        (401, &json!("M_UNKNOWN_TOKEN"))
    );
    assert!(!node.knows(&alice.token).await);
}

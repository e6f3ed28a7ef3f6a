//! The rooms that one is in with another.

use serde_json::{Value, json};

use super::refusal;
use crate::server::{Node, Server, User, on_both_engines};

const PATH: &str = "/_matrix/client/v1/mutual_rooms";

on_both_engines! {
    shared_postgres;
    only_rooms_that_both_are_in_are_mutual,
    many_rooms_come_in_batches,
    what_cannot_be_asked_is_refused,
}

async fn mutual(node: &Node, user: &User, query: &str) -> Value {
    let path = format!("{PATH}?{query}");
    node.ok(&user.token, "GET", &path, Value::Null).await
}

async fn only_rooms_that_both_are_in_are_mutual(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let both = node.public(&alice).await;
    let left = node.public(&alice).await;
    let invited = node.create(&alice, json!({})).await;
    node.public(&bob).await;
    node.go(&bob, "join", &both).await;
    node.go(&bob, "join", &left).await;
    node.go(&bob, "leave", &left).await;
    node.on(&alice, "invite", &invited, &bob).await;
    for (one, other) in [(&alice, &bob), (&bob, &alice)] {
        let query = format!("user_id={}", other.user_id);
        let answer = mutual(&node, one, &query).await;
        assert_eq!(answer, json!({ "joined": [both], "count": 1 }));
    }
    for stranger in ["@nobody:localhost", "@somebody:elsewhere.example"] {
        let answer = mutual(&node, &alice, &format!("user_id={stranger}")).await;
        assert_eq!(answer, json!({ "joined": [], "count": 0 }));
    }
}

async fn many_rooms_come_in_batches(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let mut rooms = Vec::new();
    for _ in 0..101 {
        let room = node.public(&alice).await;
        node.go(&bob, "join", &room).await;
        rooms.push(room);
    }
    let query = format!("user_id={}", bob.user_id);
    let first = mutual(&node, &alice, &query).await;
    assert_eq!(first["joined"], json!(rooms[..100]));
    let next = first["next_batch"].as_str().unwrap();
    let rest = mutual(&node, &alice, &format!("{query}&from={next}")).await;
    assert_eq!(rest, json!({ "joined": [rooms[100]], "count": 101 }));
}

async fn what_cannot_be_asked_is_refused(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let own = format!("{PATH}?user_id={}", alice.user_id);
    let token = |from: &str| format!("{PATH}?user_id=@bob:localhost&from={from}");
    for path in [
        own,
        format!("{PATH}?user_id=bob"),
        format!("{PATH}?user_id=@b%20ob%C3%A9:localhost%20"),
        token("7"),
        token("m1_x"),
        token("m1_-1"),
    ] {
        let refused = node.refuses(&alice, "GET", &path, "").await;
        assert_eq!(refused, refusal(400, "M_INVALID_PARAM"), "{path}");
    }
    let refused = node.refuses(&alice, "GET", PATH, "").await;
    assert_eq!(refused, refusal(400, "M_MISSING_PARAM"));
    let stranger = node.refused("", "GET", &token("m1_1"), "").await;
    assert_eq!(stranger, refusal(401, "M_MISSING_TOKEN"));
}

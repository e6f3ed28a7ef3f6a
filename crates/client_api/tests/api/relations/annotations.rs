//! Annotations: the same is said of an event once.

use http::StatusCode;
use serde_json::{Value, json};

use super::reaction;
use crate::{
    server::{Node, Server, User, on_both_engines},
    stage::count,
};

on_both_engines! {
    shared_postgres;
    the_same_annotation_is_refused_until_the_first_is_redacted,
    what_differs_is_no_duplicate,
    a_retry_is_no_duplicate,
    who_is_not_in_the_room_is_told_that,
}

type Answer = (StatusCode, Value);

/// Tries to send an annotation.
async fn try_to_annotate(
    node: &Node,
    user: &User,
    room: &str,
    kind: &str,
    content: Value,
) -> Answer {
    let transaction = format!("t{}", count());
    let path = format!("/_matrix/client/v3/rooms/{room}/send/{kind}/{transaction}");
    node.ask(&user.token, "PUT", &path, content.to_string())
        .await
}

fn is_duplicate(answer: &Answer) -> bool {
    answer.0 == StatusCode::BAD_REQUEST && answer.1["errcode"] == "M_DUPLICATE_ANNOTATION"
}

async fn the_same_annotation_is_refused_until_the_first_is_redacted(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let said = node.say(&alice, &room, "x").await;
    let mut standing = node.react(&alice, &room, &said, "👍").await;
    for _ in 0..3 {
        let again = reaction(&said, "👍");
        let refused = try_to_annotate(&node, &alice, &room, "m.reaction", again).await;
        assert!(is_duplicate(&refused), "{refused:?}");
        let page = node
            .of_room(&alice, &room, &format!("relations/{said}"))
            .await;
        assert_eq!(super::chunk(&page), [&*standing]);
        node.redact(&alice, &room, &standing).await;
        // Redacting it twice changes nothing.
        node.redact(&alice, &room, &standing).await;
        standing = node.react(&alice, &room, &said, "👍").await;
    }
    // What is said of a redacted event still stands.
    node.redact(&alice, &room, &said).await;
    let again = try_to_annotate(&node, &alice, &room, "m.reaction", reaction(&said, "👍"));
    assert!(is_duplicate(&again.await));
}

async fn what_differs_is_no_duplicate(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let (room, other) = (node.public(&alice).await, node.public(&alice).await);
    node.go(&bob, "join", &room).await;
    let said = node.say(&alice, &room, "x").await;
    let second = node.say(&alice, &room, "y").await;
    node.react(&alice, &room, &said, "👍").await;
    node.react(&alice, &room, &said, "👎").await;
    node.react(&alice, &room, &second, "👍").await;
    node.react(&bob, &room, &said, "👍").await;
    node.react(&alice, &other, &said, "👍").await;
    let kind = "org.example.verdict";
    node.send(&alice, &room, kind, reaction(&said, "👍")).await;
    // Without a key nothing is said, and other relations may be repeated.
    let keyless = json!({"m.relates_to": {"rel_type": "m.annotation", "event_id": said}});
    let mut reference = reaction(&said, "👍");
    reference["m.relates_to"]["rel_type"] = json!("m.reference");
    for content in [keyless, reference] {
        node.send(&alice, &room, "m.reaction", content.clone())
            .await;
        node.send(&alice, &room, "m.reaction", content).await;
    }
    // However long it is, the same is the same.
    let long = "👍".repeat(500);
    node.react(&alice, &room, &said, &long).await;
    let again = try_to_annotate(&node, &alice, &room, "m.reaction", reaction(&said, &long));
    assert!(is_duplicate(&again.await));
    node.react(&alice, &room, &said, &format!("{long}!")).await;
}

async fn a_retry_is_no_duplicate(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let said = node.say(&alice, &room, "x").await;
    let rest = format!("rooms/{room}/send/m.reaction/once");
    let first = node.call(&alice, "PUT", &rest, reaction(&said, "👍")).await;
    let second = node.call(&alice, "PUT", &rest, reaction(&said, "👍")).await;
    assert_eq!(first, second);
}

async fn who_is_not_in_the_room_is_told_that(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    let said = node.say(&alice, &room, "x").await;
    node.react(&bob, &room, &said, "👍").await;
    node.go(&bob, "leave", &room).await;
    let refused = try_to_annotate(&node, &bob, &room, "m.reaction", reaction(&said, "👍")).await;
    assert_eq!(refused.1["errcode"], "M_FORBIDDEN");
}

/// Two nodes on one database, which only PostgreSQL permits.
mod two {
    use super::*;

    #[tokio::test]
    async fn of_two_that_say_the_same_at_two_nodes_one_is_refused() {
        let server = Server::shared_postgres().await;
        let (one, two) = (server.node().await, server.node().await);
        let alice = one.someone("alice").await;
        let room = one.public(&alice).await;
        let said = one.say(&alice, &room, "x").await;
        for round in 0..20 {
            let say = |node| {
                let content = reaction(&said, &round.to_string());
                try_to_annotate(node, &alice, &room, "m.reaction", content)
            };
            let answers: [Answer; 4] =
                tokio::join!(say(&one), say(&two), say(&one), say(&two)).into();
            let made = answers.iter().filter(|(status, _)| *status == 200);
            assert_eq!(made.count(), 1, "{answers:?}");
            let refused = answers.iter().filter(|answer| is_duplicate(answer));
            assert_eq!(refused.count(), 3, "{answers:?}");
        }
    }

    #[tokio::test]
    async fn a_redaction_and_a_repetition_at_two_nodes_leave_at_most_one() {
        let server = Server::shared_postgres().await;
        let (one, two) = (server.node().await, server.node().await);
        let alice = one.someone("alice").await;
        let room = one.public(&alice).await;
        let said = one.say(&alice, &room, "x").await;
        for round in 0..20 {
            let key = round.to_string();
            let first = one.react(&alice, &room, &said, &key).await;
            let again = try_to_annotate(&two, &alice, &room, "m.reaction", reaction(&said, &key));
            let (_, again) = tokio::join!(one.redact(&alice, &room, &first), again);
            let came_first = is_duplicate(&again);
            assert!(came_first || again.0 == 200, "{again:?}");
            let third = try_to_annotate(&two, &alice, &room, "m.reaction", reaction(&said, &key));
            let third = third.await;
            // What was refused may be said now; what was said stands.
            assert_eq!(is_duplicate(&third), !came_first, "{third:?}");
        }
    }
}

//! The threads of a room.

use http::StatusCode;
use serde_json::{Value, json};

use super::{chunk, related, token};
use crate::{
    server::{Server, on_both_engines},
    stage::count,
};

on_both_engines! {
    shared_postgres;
    threads_come_by_what_was_said_last_in_each,
    those_of_ones_own_can_be_asked_for,
    pages_join_without_gap_or_repetition,
    a_thread_that_is_redacted_away_is_none,
    a_thread_begins_only_at_what_relates_to_nothing,
    strangers_are_refused,
}

async fn threads_come_by_what_was_said_last_in_each(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    assert_eq!(
        node.of_room(&bob, &room, "threads").await,
        json!({"chunk": []})
    );
    let first = node.say(&alice, &room, "first").await;
    let second = node.say(&alice, &room, "second").await;
    node.say(&alice, &room, "no thread").await;
    node.relate(&bob, &room, ("m.thread", &first), "1").await;
    node.relate(&bob, &room, ("m.thread", &second), "2").await;
    let page = node.of_room(&bob, &room, "threads").await;
    assert_eq!(chunk(&page), [&*second, &first]);
    let last = node.relate(&alice, &room, ("m.thread", &first), "3").await;
    let page = node.of_room(&bob, &room, "threads").await;
    assert_eq!(chunk(&page), [&*first, &second]);
    let root = &page["chunk"][0];
    assert_eq!(root["content"]["body"], "first");
    let thread = &root["unsigned"]["m.relations"]["m.thread"];
    assert_eq!(thread["count"], 2);
    assert_eq!(thread["current_user_participated"], true);
    assert_eq!(thread["latest_event"]["event_id"], last.as_str());
    assert_eq!(thread["latest_event"]["room_id"], room.as_str());
}

async fn those_of_ones_own_can_be_asked_for(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    let begun = node.say(&bob, &room, "begun by bob").await;
    let answered = node.say(&alice, &room, "answered by bob").await;
    let foreign = node.say(&alice, &room, "foreign").await;
    for (who, root) in [(&alice, &begun), (&bob, &answered), (&alice, &foreign)] {
        node.relate(who, &room, ("m.thread", root), "x").await;
    }
    let read = async |include: &str| {
        let rest = format!("threads?include={include}");
        let page = node.of_room(&bob, &room, &rest).await;
        let participated = page["chunk"].as_array().unwrap().iter().map(|root| {
            let thread = &root["unsigned"]["m.relations"]["m.thread"];
            thread["current_user_participated"].as_bool().unwrap()
        });
        let participated: Vec<_> = participated.collect();
        let ids = chunk(&page).into_iter().map(str::to_owned);
        ids.zip(participated).collect::<Vec<_>>()
    };
    let (begun, answered) = ((begun, true), (answered, true));
    let all = [(foreign, false), answered.clone(), begun.clone()];
    assert_eq!(read("all").await, all);
    assert_eq!(read("participated").await, [answered, begun]);
}

async fn pages_join_without_gap_or_repetition(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let mut roots = Vec::new();
    for number in 0..5 {
        roots.push(node.say(&alice, &room, &number.to_string()).await);
    }
    for round in 0..3 {
        for root in &roots {
            let text = round.to_string();
            node.relate(&alice, &room, ("m.thread", root), &text).await;
        }
    }
    roots.reverse();
    let (mut read, mut sizes, mut from) = (Vec::new(), Vec::new(), String::new());
    loop {
        let rest = format!("threads?limit=2{from}");
        let page = node.of_room(&alice, &room, &rest).await;
        sizes.push(chunk(&page).len());
        read.extend(chunk(&page).into_iter().map(str::to_owned));
        match token(&page, "next_batch") {
            Some(next) => from = format!("&from={next}"),
            None => break,
        }
    }
    assert_eq!((read, sizes), (roots.clone(), vec![2, 2, 1]));
    // When all fit, there is nothing more.
    let page = node.of_room(&alice, &room, "threads?limit=5").await;
    assert_eq!(chunk(&page), roots);
    assert!(page.get("next_batch").is_none());
}

async fn a_thread_that_is_redacted_away_is_none(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let (older, newer) = (
        node.say(&alice, &room, "older").await,
        node.say(&alice, &room, "newer").await,
    );
    let said = node.relate(&alice, &room, ("m.thread", &older), "1").await;
    let kept = node.relate(&alice, &room, ("m.thread", &newer), "2").await;
    let last = node.relate(&alice, &room, ("m.thread", &older), "3").await;
    node.redact(&alice, &room, &last).await;
    let page = node.of_room(&alice, &room, "threads").await;
    assert_eq!(chunk(&page), [&*newer, &older]);
    let of_older = node.beside(&alice, &room, &older).await;
    let latest = &of_older["m.thread"]["latest_event"]["event_id"];
    assert_eq!(
        (latest, &of_older["m.thread"]["count"]),
        (&json!(said), &json!(1))
    );
    node.redact(&alice, &room, &said).await;
    node.redact(&alice, &room, &newer).await;
    // A root that was redacted still begins its thread.
    let page = node.of_room(&alice, &room, "threads").await;
    assert_eq!(chunk(&page), [&*newer]);
    assert_eq!(page["chunk"][0]["content"], json!({}));
    let thread = &page["chunk"][0]["unsigned"]["m.relations"]["m.thread"];
    assert_eq!(thread["latest_event"]["event_id"], kept.as_str());
    assert!(node.beside(&alice, &room, &older).await.is_null());
}

async fn a_thread_begins_only_at_what_relates_to_nothing(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let eve = node.someone("eve").await;
    let room = node.public(&alice).await;
    let root = node.say(&alice, &room, "root").await;
    let answer = node.relate(&alice, &room, ("m.thread", &root), "1").await;
    let edit = node.relate(&alice, &room, ("m.replace", &root), "2").await;
    let reaction = node.react(&alice, &room, &root, "👍").await;
    let send = async |user: &crate::server::User, target: &str| {
        let rest = format!("rooms/{room}/send/m.room.message/t{}", count());
        let path = format!("/_matrix/client/v3/{rest}");
        let body = related("m.thread", target, "x").to_string();
        let (status, answer) = node.ask(&user.token, "PUT", &path, body).await;
        (status, answer["errcode"].clone())
    };
    for target in [&answer, &edit, &reaction] {
        let refused = (StatusCode::BAD_REQUEST, json!("M_UNKNOWN"));
        assert_eq!(send(&alice, target).await, refused);
    }
    // Who is not in the room learns that, and nothing of its events.
    let forbidden = (StatusCode::FORBIDDEN, json!("M_FORBIDDEN"));
    assert_eq!(send(&eve, &answer).await, forbidden);
    // A rich reply relates by no type, and an event that nobody knows is no child.
    let reply = json!({"body": "x", "m.relates_to": {"m.in_reply_to": {"event_id": root}}});
    let reply = node.send(&alice, &room, "m.room.message", reply).await;
    for target in [&*reply, "$unknown"] {
        assert_eq!(send(&alice, target).await, (StatusCode::OK, Value::Null));
    }
}

async fn strangers_are_refused(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let eve = node.someone("eve").await;
    let room = node.public(&alice).await;
    let forbidden = (403, "M_FORBIDDEN".to_owned());
    for room in [&*room, "!nowhere"] {
        assert_eq!(node.refused_of_room(&eve, room, "threads").await, forbidden);
    }
    for parameters in ["from=nonsense", "include=some", "limit=0", "limit=x"] {
        let rest = format!("threads?{parameters}");
        let refused = node.refused_of_room(&alice, &room, &rest).await;
        assert_eq!(refused, (400, "M_INVALID_PARAM".to_owned()), "{parameters}");
    }
    let visible = json!({"history_visibility": "world_readable"});
    node.set(&alice, &room, ("m.room.history_visibility", ""), visible)
        .await;
    let root = node.say(&alice, &room, "root").await;
    node.relate(&alice, &room, ("m.thread", &root), "x").await;
    let page = node.of_room(&eve, &room, "threads").await;
    assert_eq!(chunk(&page), [&*root]);
}

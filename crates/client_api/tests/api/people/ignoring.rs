//! People whom one ignores.

use serde_json::{Value, json};

use crate::{
    server::{Node, Server, User, on_both_engines},
    stage::{is_silent, joined, members, texts},
};

on_both_engines! {
    shared_postgres;
    messages_of_the_ignored_are_not_told_and_do_not_count,
    state_that_the_ignored_set_is_told,
    invitations_of_the_ignored_wait_until_they_are_ignored_no_more,
    who_waits_is_not_woken_by_the_ignored,
    older_messages_of_the_ignored_are_left_out_too,
}

async fn ignore(node: &Node, user: &User, others: &[&User]) {
    let others = others
        .iter()
        .map(|other| (other.user_id.clone(), json!({})));
    let list: serde_json::Map<String, Value> = others.collect();
    let content = json!({ "ignored_users": list });
    node.keep(user, None, "m.ignored_user_list", content).await;
}

async fn of_three(node: &Node) -> (User, User, User, String) {
    let [alice, bob, carol] = [
        node.someone("alice").await,
        node.someone("bob").await,
        node.someone("carol").await,
    ];
    let room = node.public(&alice).await;
    for person in [&bob, &carol] {
        node.go(person, "join", &room).await;
    }
    (alice, bob, carol, room)
}

fn unread(answer: &Value, room: &str) -> Value {
    joined(answer, room)["unread_notifications"]["notification_count"].clone()
}

async fn messages_of_the_ignored_are_not_told_and_do_not_count(server: Server) {
    let node = server.node().await;
    let (alice, bob, carol, room) = of_three(&node).await;
    let mut client = node.client(&carol).ready().await;
    ignore(&node, &carol, &[&bob]).await;
    client.next().await;
    node.say(&bob, &room, "carol, look").await;
    node.say(&alice, &room, "hello").await;
    let answer = client.next().await;
    assert_eq!(texts(&joined(&answer, &room)["timeline"]), ["hello"]);
    assert_eq!(unread(&answer, &room), 1);
    let answer = node.client(&carol).next().await;
    assert_eq!(texts(&joined(&answer, &room)["timeline"]), ["hello"]);
    assert_eq!(unread(&answer, &room), 1);
    // Others hear both, and so does Carol when she wants to again.
    let answer = node.client(&alice).next().await;
    assert_eq!(texts(&joined(&answer, &room)["timeline"]).len(), 2);
    ignore(&node, &carol, &[]).await;
    node.say(&bob, &room, "sorry").await;
    let answer = client.next().await;
    assert_eq!(texts(&joined(&answer, &room)["timeline"]), ["sorry"]);
    assert_eq!(unread(&answer, &room), 3);
}

async fn state_that_the_ignored_set_is_told(server: Server) {
    let node = server.node().await;
    let (alice, bob, carol, room) = of_three(&node).await;
    let levels = json!({ "users": { &alice.user_id: 100, &bob.user_id: 50 } });
    // In version 12 its creator stands in no list.
    let levels = match node
        .get(&alice, &format!("rooms/{room}/state/m.room.create/"))
        .await["room_version"]
        .as_str()
    {
        Some("12") => json!({ "users": { &bob.user_id: 50 } }),
        _ => levels,
    };
    node.set(&alice, &room, ("m.room.power_levels", ""), levels)
        .await;
    let mut client = node.client(&carol).ready().await;
    ignore(&node, &carol, &[&bob]).await;
    node.set(&bob, &room, ("m.room.topic", ""), json!({ "topic": "his" }))
        .await;
    node.go(&bob, "leave", &room).await;
    let answer = client.next().await;
    let timeline = &joined(&answer, &room)["timeline"];
    assert_eq!(members(timeline), [(&*bob.user_id, "leave")]);
    let topic = timeline["events"].as_array().unwrap().iter();
    assert_eq!(
        topic
            .filter(|event| event["type"] == "m.room.topic")
            .count(),
        1
    );
}

async fn invitations_of_the_ignored_wait_until_they_are_ignored_no_more(server: Server) {
    let node = server.node().await;
    let (alice, bob, carol, _) = of_three(&node).await;
    let mut client = node.client(&carol).ready().await;
    ignore(&node, &carol, &[&bob]).await;
    let (his, hers) = (
        node.create(&bob, json!({})).await,
        node.create(&alice, json!({})).await,
    );
    node.on(&bob, "invite", &his, &carol).await;
    node.on(&alice, "invite", &hers, &carol).await;
    for answer in [client.next().await, node.client(&carol).next().await] {
        let invited = answer["rooms"]["invite"].as_object().unwrap();
        assert_eq!(invited.keys().collect::<Vec<_>>(), [&hers]);
    }
    ignore(&node, &carol, &[]).await;
    let answer = client.next().await;
    let invited = answer["rooms"]["invite"].as_object().unwrap();
    assert!(invited.contains_key(&his));
}

async fn who_waits_is_not_woken_by_the_ignored(server: Server) {
    let node = server.node().await;
    let (alice, bob, carol, room) = of_three(&node).await;
    let mut client = node.client(&carol).ready().await;
    ignore(&node, &carol, &[&bob]).await;
    client.next().await;
    let quiet = client.clone();
    let mut quiet = quiet;
    quiet.not_woken_by(node.say(&bob, &room, "psst")).await;
    let answer = client.woken_by(node.say(&alice, &room, "hello")).await;
    assert_eq!(texts(&joined(&answer, &room)["timeline"]), ["hello"]);
    assert!(is_silent(&client.next().await));
}

async fn older_messages_of_the_ignored_are_left_out_too(server: Server) {
    let node = server.node().await;
    let (alice, bob, carol, room) = of_three(&node).await;
    node.say(&bob, &room, "one").await;
    let middle = node.say(&alice, &room, "two").await;
    node.say(&bob, &room, "three").await;
    ignore(&node, &carol, &[&bob]).await;
    let told = async |user: &User| {
        let page = node
            .get(user, &format!("rooms/{room}/messages?dir=b&limit=50"))
            .await;
        let around = node
            .get(user, &format!("rooms/{room}/context/{middle}?limit=6"))
            .await;
        let count = |list: &Value| texts(&json!({ "events": list })).len();
        let beside = count(&around["events_before"]) + count(&around["events_after"]);
        (count(&page["chunk"]), beside)
    };
    assert_eq!(told(&alice).await, (3, 2));
    assert_eq!(told(&carol).await, (1, 0));
}

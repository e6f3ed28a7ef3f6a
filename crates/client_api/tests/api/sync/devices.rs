//! Messages to devices, keys, and whose devices changed.

use serde_json::{Value, json};

use crate::{
    server::{Node, Server, User, on_both_engines},
    stage::{events, is_silent},
};

on_both_engines! {
    shared_postgres;
    messages_to_a_device_come_until_it_proves_that_it_has_them,
    a_hundred_messages_come_at_once_and_the_others_after_them,
    keys_are_counted_in_every_answer,
    devices_are_followed_while_a_room_is_shared,
    key_changes_between_two_tokens_are_told_again,
    key_changes_need_two_tokens,
}

/// Uploads the identity keys of a device.
pub(super) async fn upload_keys(node: &Node, user: &User, device: &str) {
    let keys = json!({ "device_keys": {
        "user_id": user.user_id,
        "device_id": device,
        "algorithms": ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
        "keys": { format!("ed25519:{device}"): "a", format!("curve25519:{device}"): "b" },
        "signatures": { &user.user_id: { format!("ed25519:{device}"): "c" } },
    }});
    node.call(user, "POST", "keys/upload", keys).await;
}

fn numbers(answer: &Value) -> Vec<u64> {
    let events = events(&answer["to_device"]).iter();
    let numbers = events.map(|event| event["content"]["n"].as_u64().unwrap());
    numbers.collect()
}

async fn messages_to_a_device_come_until_it_proves_that_it_has_them(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let laptop = node.on_device(&bob, "LAPTOP").await;
    let mut client = node.client(&bob).ready().await;
    let mut other = node.client(&laptop).ready().await;
    node.to_device(&alice, &bob, "PHONE", json!({"n": 1})).await;
    node.to_device(&alice, &bob, "*", json!({"n": 2})).await;
    let before = client.clone();
    for _ in 0..3 {
        let answer = before.clone().next().await;
        assert_eq!(numbers(&answer), [1, 2]);
        let event = &answer["to_device"]["events"][0];
        assert_eq!(event["sender"], alice.user_id.as_str());
        assert_eq!(event["type"], "org.example.note");
    }
    // Somebody who begins again has them too.
    assert_eq!(numbers(&node.client(&bob).next().await), [1, 2]);
    assert_eq!(numbers(&client.next().await), [1, 2]);
    assert!(is_silent(&client.next().await));
    // Now they are proved, and gone.
    assert!(numbers(&before.clone().next().await).is_empty());
    assert!(numbers(&node.client(&bob).next().await).is_empty());
    assert_eq!(numbers(&other.next().await), [2]);
}

async fn a_hundred_messages_come_at_once_and_the_others_after_them(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let mut client = node.client(&bob).ready().await;
    let sends = (0..130).map(|n| {
        let (node, alice, bob) = (&node, &alice, &bob);
        async move { node.to_device(alice, bob, "PHONE", json!({"n": n})).await }
    });
    futures_util::future::join_all(sends).await;
    let first = numbers(&client.next().await);
    assert_eq!(first.len(), 100);
    let again = client.clone().next().await;
    let second = numbers(&client.next().await);
    assert_eq!(numbers(&again), second);
    let mut all = [first, second].concat();
    all.sort_unstable();
    assert_eq!(all, (0..130).collect::<Vec<_>>());
    assert!(is_silent(&client.next().await));
}

async fn keys_are_counted_in_every_answer(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let mut client = node.client(&alice).ready().await;
    let key = |text: &str| json!({"key": text.repeat(43), "signatures": {}});
    let mut fallback = key("F");
    fallback["fallback"] = true.into();
    let upload = json!({
        "one_time_keys": {"signed_curve25519:A": key("A"), "signed_curve25519:B": key("B")},
        "fallback_keys": {"signed_curve25519:F": fallback},
    });
    node.call(&alice, "POST", "keys/upload", upload).await;
    let counts = |answer: &Value| {
        let left = answer["device_one_time_keys_count"]["signed_curve25519"].as_u64();
        (
            left.unwrap(),
            answer["device_unused_fallback_key_types"].clone(),
        )
    };
    let unused = json!(["signed_curve25519"]);
    assert_eq!(counts(&client.next().await), (2, unused.clone()));
    let claim = json!({"one_time_keys": {&alice.user_id: {"PHONE": "signed_curve25519"}}});
    for (left, types) in [(1, &unused), (0, &unused), (0, &json!([]))] {
        node.call(&bob, "POST", "keys/claim", claim.clone()).await;
        assert_eq!(counts(&client.next().await), (left, types.clone()));
    }
}

fn lists(answer: &Value) -> (Value, Value) {
    let lists = &answer["device_lists"];
    (lists["changed"].clone(), lists["left"].clone())
}

async fn devices_are_followed_while_a_room_is_shared(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    upload_keys(&node, &alice, "PHONE").await;
    let one = node.public(&alice).await;
    let two = node.public(&alice).await;
    let mut client = node.client(&bob).ready().await;
    let mut host = node.client(&alice).ready().await;
    let changed = |user: &User| (json!([user.user_id]), Value::Null);
    let gone = |user: &User| (Value::Null, json!([user.user_id]));
    let nothing = (Value::Null, Value::Null);
    let laptop = node.on_device(&alice, "LAPTOP").await;
    upload_keys(&node, &laptop, "LAPTOP").await;
    assert_eq!(lists(&client.next().await), nothing, "they share no room");
    assert_eq!(
        lists(&host.next().await),
        changed(&alice),
        "one's own devices"
    );
    node.go(&bob, "join", &one).await;
    assert_eq!(lists(&client.next().await), changed(&alice));
    assert_eq!(lists(&host.next().await), changed(&bob));
    node.go(&bob, "join", &two).await;
    client.next().await;
    host.next().await;
    let removal = json!({"auth": crate::server::password_of(alice.localpart())});
    node.call(&alice, "DELETE", "devices/LAPTOP", removal).await;
    assert_eq!(lists(&client.next().await), changed(&alice));
    node.go(&bob, "leave", &one).await;
    assert_eq!(lists(&client.next().await), nothing, "one room is left");
    host.next().await;
    node.go(&bob, "leave", &two).await;
    assert_eq!(lists(&client.next().await), gone(&alice));
    assert_eq!(lists(&host.next().await), gone(&bob));
    upload_keys(&node, &alice, "PHONE").await;
    assert_eq!(lists(&client.next().await), nothing);
}

async fn key_changes_between_two_tokens_are_told_again(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let carol = node.someone("carol").await;
    let room = node.public(&alice).await;
    for person in [&bob, &carol] {
        node.go(person, "join", &room).await;
    }
    let mut client = node.client(&bob).ready().await;
    let mut tokens = vec![client.since.clone().unwrap()];
    upload_keys(&node, &alice, "PHONE").await;
    client.next().await;
    tokens.push(client.since.clone().unwrap());
    upload_keys(&node, &carol, "PHONE").await;
    node.go(&alice, "leave", &room).await;
    client.next().await;
    tokens.push(client.since.clone().unwrap());
    let changes = async |from: usize, to: usize| {
        let path = format!("keys/changes?from={}&to={}", tokens[from], tokens[to]);
        node.get(&bob, &path).await
    };
    let carol = json!([carol.user_id]);
    let alice = json!([alice.user_id]);
    // Alice's change is hers alone now: they share no room any more.
    assert_eq!(changes(0, 1).await, json!({"changed": [], "left": []}));
    assert_eq!(
        changes(1, 2).await,
        json!({"changed": carol, "left": alice})
    );
    assert_eq!(
        changes(0, 2).await,
        json!({"changed": carol, "left": alice})
    );
    for (from, to) in [(1, 1), (2, 0)] {
        assert_eq!(changes(from, to).await, json!({"changed": [], "left": []}));
    }
}

async fn key_changes_need_two_tokens(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let token = node.client(&alice).ready().await.since.unwrap();
    for (query, errcode) in [
        (format!("from={token}"), "M_MISSING_PARAM"),
        (format!("to={token}"), "M_MISSING_PARAM"),
        (format!("from=x&to={token}"), "M_INVALID_PARAM"),
        (format!("from={token}&to=t5"), "M_INVALID_PARAM"),
    ] {
        let path = format!("/_matrix/client/v3/keys/changes?{query}");
        let refused = node.refused(&alice.token, "GET", &path, "").await;
        assert_eq!((refused.0, refused.1.as_str()), (400, errcode), "{query}");
    }
}

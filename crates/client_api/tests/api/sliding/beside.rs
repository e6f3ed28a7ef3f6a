//! Extensions: messages to devices, keys, the user's own data, receipts, typing.

use serde_json::{Value, json};

use super::{list, told};
use crate::{
    server::{Node, Server, on_both_engines},
    stage::of_type,
};

on_both_engines! {
    shared_postgres;
    messages_to_a_device_come_until_they_are_proved,
    messages_to_a_device_come_a_few_at_a_time,
    changed_devices_are_told_from_the_position_on,
    keys_that_are_left_are_counted,
    own_data_is_told_with_its_rooms,
    own_data_of_a_room_is_told_when_it_comes_into_view,
    push_rules_are_own_data,
    receipts_are_told_where_they_matter,
    private_receipts_are_for_their_owner,
    an_invitation_shows_no_receipts,
    who_types_is_told_and_when_they_stop,
    extensions_tell_of_the_rooms_they_are_asked_for,
    an_extension_that_is_switched_on_later_misses_nothing,
    threads_that_are_followed_are_told,
    nothing_is_told_that_was_not_asked_for,
}

fn asking(extensions: Value) -> Value {
    json!({ "lists": { "all": list(9, 3) }, "extensions": extensions })
}

impl Node {
    async fn types(&self, user: &crate::server::User, room: &str, typing: bool) {
        let rest = format!("rooms/{room}/typing/{}", user.user_id);
        let body = json!({ "typing": typing, "timeout": 90_000 });
        self.call(user, "PUT", &rest, body).await;
    }
}

fn notes(answer: &Value) -> Vec<i64> {
    let events = answer["extensions"]["to_device"]["events"].as_array();
    let events = events.into_iter().flatten();
    events
        .map(|event| event["content"]["n"].as_i64().unwrap())
        .collect()
}

async fn messages_to_a_device_come_until_they_are_proved(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    node.to_device(&alice, &alice, "PHONE", json!({ "n": 1 }))
        .await;
    let mut window = node.window(
        &alice,
        json!({ "extensions": { "to_device": { "enabled": true } } }),
    );
    assert_eq!(notes(&window.next().await), [1]);
    // Neither a position nor a new connection proves anything.
    assert_eq!(notes(&window.next().await), [1]);
    window.pos = None;
    let answer = window.next().await;
    assert_eq!(notes(&answer), [1]);
    window.asks["extensions"]["to_device"]["since"] =
        answer["extensions"]["to_device"]["next_batch"].clone();
    let answer = window
        .woken_by(node.to_device(&alice, &alice, "PHONE", json!({ "n": 2 })))
        .await;
    assert_eq!(notes(&answer), [2]);
    // What was proved is gone for everybody, what was not is not.
    let mut other = node.window(
        &alice,
        json!({ "extensions": { "to_device": { "enabled": true } } }),
    );
    assert_eq!(notes(&other.next().await), [2]);
}

async fn messages_to_a_device_come_a_few_at_a_time(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    for n in 0..5 {
        node.to_device(&alice, &alice, "PHONE", json!({ "n": n }))
            .await;
    }
    let asks = json!({ "extensions": { "to_device": { "enabled": true, "limit": 2 } } });
    let mut window = node.window(&alice, asks);
    let mut all = Vec::new();
    for expected in [2, 2, 1, 0] {
        let answer = window.next().await;
        assert_eq!(notes(&answer).len(), expected);
        all.extend(notes(&answer));
        window.asks["extensions"]["to_device"]["since"] =
            answer["extensions"]["to_device"]["next_batch"].clone();
    }
    assert_eq!(all, [0, 1, 2, 3, 4]);
}

async fn changed_devices_are_told_from_the_position_on(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    let mut window = node.window(
        &alice,
        json!({ "extensions": { "e2ee": { "enabled": true } } }),
    );
    let answer = window.next().await;
    assert!(answer["extensions"]["e2ee"].get("device_lists").is_none());
    let gone = window.woken_by(node.go(&bob, "leave", &room)).await;
    assert_eq!(
        gone["extensions"]["e2ee"]["device_lists"]["left"],
        json!([bob.user_id])
    );
    let back = window.woken_by(node.go(&bob, "join", &room)).await;
    assert_eq!(
        back["extensions"]["e2ee"]["device_lists"]["changed"],
        json!([bob.user_id])
    );
    let answer = window.next().await;
    assert!(answer["extensions"]["e2ee"].get("device_lists").is_none());
}

async fn keys_that_are_left_are_counted(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let mut window = node.window(
        &alice,
        json!({ "extensions": { "e2ee": { "enabled": true } } }),
    );
    let answer = window.next().await;
    let e2ee = &answer["extensions"]["e2ee"];
    assert_eq!(
        e2ee["device_one_time_keys_count"],
        json!({ "signed_curve25519": 0 })
    );
    assert_eq!(e2ee["device_unused_fallback_key_types"], json!([]));
}

async fn own_data_is_told_with_its_rooms(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    node.keep(&alice, None, "x.global", json!({ "n": 1 })).await;
    node.keep(&alice, Some(&room), "x.room", json!({ "n": 1 }))
        .await;
    let mut window = node.window(
        &alice,
        asking(json!({ "account_data": { "enabled": true } })),
    );
    let answer = window.next().await;
    let data = &answer["extensions"]["account_data"];
    let of = |list: &Value, kind: &str| of_type(&super::listed(list), kind).cloned();
    assert_eq!(of(&data["global"], "x.global").unwrap()["content"]["n"], 1);
    assert_eq!(
        of(&data["rooms"][&room], "x.room").unwrap()["content"]["n"],
        1
    );
    assert!(
        window.next().await["extensions"]
            .get("account_data")
            .is_none()
    );
    let answer = window
        .woken_by(node.keep(&alice, Some(&room), "x.room", json!({ "n": 2 })))
        .await;
    let data = &answer["extensions"]["account_data"];
    assert!(data.get("global").is_none());
    assert_eq!(
        data["rooms"][&room],
        json!([{ "type": "x.room", "content": { "n": 2 } }])
    );
    let answer = window
        .woken_by(node.keep(&alice, None, "x.global", json!({ "n": 2 })))
        .await;
    let data = &answer["extensions"]["account_data"];
    assert_eq!(
        data["global"],
        json!([{ "type": "x.global", "content": { "n": 2 } }])
    );
    assert!(data.get("rooms").is_none());
}

async fn own_data_of_a_room_is_told_when_it_comes_into_view(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let old = node.public(&alice).await;
    let new = node.public(&alice).await;
    let mut asks = asking(json!({ "account_data": { "enabled": true } }));
    asks["lists"]["all"]["ranges"] = json!([[0, 0]]);
    let mut window = node.window(&alice, asks);
    window.next().await;
    node.keep(&alice, Some(&old), "x.room", json!({ "n": 1 }))
        .await;
    assert!(
        window.next().await["extensions"]
            .get("account_data")
            .is_none()
    );
    node.say(&alice, &old, "hello").await;
    let answer = window.next().await;
    let kept = json!([{ "type": "x.room", "content": { "n": 1 } }]);
    assert_eq!(
        answer["extensions"]["account_data"]["rooms"],
        json!({ &old: kept })
    );
    // What is kept of a room while it is out of view is told when it is back.
    node.keep(&alice, Some(&new), "x.room", json!({ "n": 1 }))
        .await;
    window.next().await;
    node.say(&alice, &new, "hello").await;
    let answer = window.next().await;
    assert_eq!(
        answer["extensions"]["account_data"]["rooms"],
        json!({ &new: kept })
    );
}

async fn push_rules_are_own_data(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let mut window = node.window(
        &alice,
        asking(json!({ "account_data": { "enabled": true } })),
    );
    let rules = |answer: &Value| {
        let global = super::listed(&answer["extensions"]["account_data"]["global"]);
        of_type(&global, "m.push_rules").cloned()
    };
    assert!(rules(&window.next().await).is_some());
    assert!(rules(&window.next().await).is_none());
    let rule = "pushrules/global/override/.m.rule.master/enabled";
    let change = node.call(&alice, "PUT", rule, json!({ "enabled": true }));
    assert!(rules(&window.woken_by(change).await).is_some());
}

/// Who is said to have read which event of a room.
fn readers(answer: &Value, room: &str) -> Vec<(String, String)> {
    let content = answer["extensions"]["receipts"]["rooms"][room]["content"].as_object();
    let mut readers = Vec::new();
    for (event, kinds) in content.into_iter().flatten() {
        for users in kinds.as_object().unwrap().values() {
            let users = users.as_object().unwrap().keys();
            readers.extend(users.map(|user| (event.clone(), user.clone())));
        }
    }
    readers.sort_unstable();
    readers
}

async fn receipts_are_told_where_they_matter(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let carol = node.someone("carol").await;
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    node.go(&carol, "join", &room).await;
    let old = node.say(&alice, &room, "old").await;
    node.read(&bob, &room, "m.read", &old, json!({})).await;
    node.read(&carol, &room, "m.read", &old, json!({})).await;
    for text in ["a", "b"] {
        node.say(&alice, &room, text).await;
    }
    let new = node.say(&alice, &room, "new").await;
    node.read(&carol, &room, "m.read", &new, json!({})).await;
    let mut window = node.window(&bob, asking(json!({ "receipts": { "enabled": true } })));
    let answer = window.next().await;
    let mut expected = [
        (old.clone(), bob.user_id.clone()),
        (new.clone(), carol.user_id.clone()),
    ];
    expected.sort_unstable();
    assert_eq!(readers(&answer, &room), expected);
    let answer = window
        .woken_by(node.read(&alice, &room, "m.read", &old, json!({})))
        .await;
    assert_eq!(readers(&answer, &room), [(old, alice.user_id)]);
    assert!(told(&answer).is_empty());
    assert!(window.next().await["extensions"].get("receipts").is_none());
}

async fn private_receipts_are_for_their_owner(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    let event = node.say(&alice, &room, "hello").await;
    let asks = asking(json!({ "receipts": { "enabled": true } }));
    let mut hers = node.window(&alice, asks.clone()).ready().await;
    let mut his = node.window(&bob, asks).ready().await;
    node.read(&bob, &room, "m.read.private", &event, json!({}))
        .await;
    assert!(readers(&hers.next().await, &room).is_empty());
    assert_eq!(readers(&his.next().await, &room), [(event, bob.user_id)]);
}

async fn an_invitation_shows_no_receipts(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node
        .create(&alice, json!({ "invite": [bob.user_id] }))
        .await;
    let event = node.say(&alice, &room, "hello").await;
    node.read(&alice, &room, "m.read", &event, json!({})).await;
    node.types(&alice, &room, true).await;
    let on = json!({ "enabled": true });
    let mut window = node.window(&bob, asking(json!({ "receipts": on, "typing": on })));
    let answer = window.next().await;
    assert_eq!(told(&answer), [&*room]);
    assert_eq!(answer["extensions"], json!({}));
    node.read(
        &alice,
        &room,
        "m.read",
        &node.say(&alice, &room, "x").await,
        json!({}),
    )
    .await;
    assert_eq!(window.next().await["extensions"], json!({}));
}

async fn who_types_is_told_and_when_they_stop(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    let mut window = node
        .window(&bob, asking(json!({ "typing": { "enabled": true } })))
        .ready()
        .await;
    let typists = |answer: &Value| {
        answer["extensions"]["typing"]["rooms"][&room]["content"]["user_ids"].clone()
    };
    let answer = window.woken_by(node.types(&alice, &room, true)).await;
    assert_eq!(typists(&answer), json!([alice.user_id]));
    // A new connection is told who types now.
    let mut other = node.window(&bob, asking(json!({ "typing": { "enabled": true } })));
    assert_eq!(typists(&other.next().await), json!([alice.user_id]));
    let answer = window.woken_by(node.types(&alice, &room, false)).await;
    assert_eq!(typists(&answer), json!([]));
    assert!(window.next().await["extensions"].get("typing").is_none());
}

async fn extensions_tell_of_the_rooms_they_are_asked_for(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let listed = node.public(&alice).await;
    let subscribed = node.public(&alice).await;
    for room in [&listed, &subscribed] {
        node.keep(&alice, Some(room), "x.y", json!({})).await;
    }
    let mut first = list(9, 1);
    first["ranges"] = json!([[1, 1]]);
    let wanted = json!({ "required_state": [], "timeline_limit": 1 });
    for (selection, expected) in [
        (json!({}), vec![&listed, &subscribed]),
        (json!({ "lists": ["*"], "rooms": [] }), vec![&listed]),
        (json!({ "lists": ["first"], "rooms": [] }), vec![&listed]),
        (json!({ "lists": ["other"], "rooms": [] }), vec![]),
        (json!({ "lists": [] }), vec![&subscribed]),
        (json!({ "lists": [], "rooms": ["*"] }), vec![&subscribed]),
        (
            json!({ "lists": [], "rooms": [subscribed] }),
            vec![&subscribed],
        ),
        (json!({ "lists": [], "rooms": [listed] }), vec![]),
    ] {
        let mut account_data = selection.clone();
        account_data["enabled"] = json!(true);
        let asks = json!({
            "lists": { "first": first },
            "room_subscriptions": { &subscribed: wanted },
            "extensions": { "account_data": account_data },
        });
        let answer = node.window(&alice, asks).next().await;
        let rooms = answer["extensions"]["account_data"]["rooms"].as_object();
        let mut rooms: Vec<_> = rooms.into_iter().flat_map(serde_json::Map::keys).collect();
        rooms.sort_unstable();
        let mut expected = expected;
        expected.sort_unstable();
        assert_eq!(rooms, expected, "{selection}");
    }
}

async fn an_extension_that_is_switched_on_later_misses_nothing(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    let event = node.say(&alice, &room, "hello").await;
    node.keep(&bob, None, "x.global", json!({})).await;
    node.keep(&bob, Some(&room), "x.room", json!({})).await;
    node.read(&bob, &room, "m.read", &event, json!({})).await;
    node.types(&alice, &room, true).await;
    let mut window = node.window(&bob, asking(json!({}))).ready().await;
    let on = json!({ "enabled": true });
    window.asks = asking(json!({ "account_data": on, "receipts": on, "typing": on }));
    let answer = window.next().await;
    let extensions = &answer["extensions"];
    let global = super::listed(&extensions["account_data"]["global"]);
    assert!(of_type(&global, "x.global").is_some() && of_type(&global, "m.push_rules").is_some());
    assert!(extensions["account_data"]["rooms"][&room].is_array());
    assert_eq!(readers(&answer, &room), [(event, bob.user_id.clone())]);
    assert!(extensions["typing"]["rooms"][&room].is_object());
    assert_eq!(window.next().await["extensions"], json!({}));
}

async fn threads_that_are_followed_are_told(server: Server) {
    const NAME: &str = "io.element.msc4308.thread_subscriptions";
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let mut roots = Vec::new();
    for _ in 0..3 {
        let root = node.say(&alice, &room, "root").await;
        let reply = json!({ "msgtype": "m.text", "body": "in it",
            "m.relates_to": { "rel_type": "m.thread", "event_id": root } });
        node.send(&alice, &room, "m.room.message", reply).await;
        roots.push(root);
    }
    let follow = async |method: &str, root: &str| {
        let path = format!(
            "/_matrix/client/unstable/io.element.msc4306/rooms/{room}/thread/{root}/subscription"
        );
        let body = if method == "PUT" {
            json!({})
        } else {
            Value::Null
        };
        node.ok(&alice.token, method, &path, body).await;
    };
    for root in &roots {
        follow("PUT", root).await;
    }
    let asks = asking(json!({ NAME: { "enabled": true, "limit": 2 } }));
    let mut window = node.window(&alice, asks);
    let first = window.next().await;
    let told = &first["extensions"][NAME];
    let followed = told["subscribed"][&room].as_object().unwrap();
    assert!(
        followed.len() == 2 && !followed.contains_key(&roots[0]),
        "{told}"
    );
    assert_eq!(followed[&roots[2]]["automatic"], false);
    // What did not fit is found behind it, up to where the client was.
    let from = told["prev_batch"].as_str().unwrap();
    let changes = "/_matrix/client/unstable/io.element.msc4308/thread_subscriptions?dir=b";
    let rest = |to: &str| format!("{changes}&from={from}{to}");
    let older = node.ok(&alice.token, "GET", &rest(""), Value::Null).await;
    let older = older["subscribed"][&room].as_object().unwrap();
    assert_eq!(older.keys().collect::<Vec<_>>(), [&roots[0]]);
    let to = format!("&to={}", window.pos.as_deref().unwrap());
    let none = node.ok(&alice.token, "GET", &rest(&to), Value::Null).await;
    assert!(none.get("subscribed").is_none(), "{none}");
    let left = window.woken_by(follow("DELETE", &roots[1])).await;
    let told = &left["extensions"][NAME];
    assert!(
        told["unsubscribed"][&room][&roots[1]]["bump_stamp"].is_i64(),
        "{told}"
    );
    assert!(told.get("subscribed").is_none() && told.get("prev_batch").is_none());
    assert!(window.next().await["extensions"].get(NAME).is_none());
}

async fn nothing_is_told_that_was_not_asked_for(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let mut window = node.window(&alice, asking(json!({ "e2ee": { "enabled": false } })));
    window.asks["txn_id"] = json!("mine");
    let answer = window.next().await;
    assert_eq!(
        (&answer["extensions"], &answer["txn_id"]),
        (&json!({}), &json!("mine"))
    );
    node.to_device(&alice, &alice, "PHONE", json!({ "n": 1 }))
        .await;
    node.keep(&alice, Some(&room), "x.y", json!({})).await;
    node.types(&alice, &room, true).await;
    window.not_woken_by(async {}).await;
}

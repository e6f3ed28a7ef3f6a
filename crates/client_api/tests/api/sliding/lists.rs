//! Lists: what passes, in which order, and what of it is in view.

use serde_json::{Value, json};

use super::{list, said, told};
use crate::server::{Server, on_both_engines};

on_both_engines! {
    shared_postgres;
    the_liveliest_rooms_are_in_view,
    a_room_that_is_talked_in_comes_into_view,
    what_is_not_meant_to_be_read_moves_nothing,
    several_ranges_are_one_view,
    the_window_grows,
    filters_let_pass_what_they_say,
    direct_chats_are_known,
    rooms_are_subscribed_to_by_their_members_alone,
    two_that_want_the_same_room_get_what_both_want,
    many_rooms_come_over_several_answers,
    what_is_asked_for_in_excess_is_refused,
}

async fn the_liveliest_rooms_are_in_view(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let (old, middle, new) = (
        node.public(&alice).await,
        node.public(&alice).await,
        node.public(&alice).await,
    );
    node.say(&alice, &old, "still here").await;
    let mut window = node.window(&alice, json!({ "lists": { "all": list(1, 1) } }));
    let answer = window.next().await;
    assert_eq!(answer["lists"], json!({ "all": { "count": 3 } }));
    let mut both = [old.as_str(), &new];
    both.sort_unstable();
    assert_eq!(told(&answer), both);
    let stamp = |room: &str| answer["rooms"][room]["bump_stamp"].as_i64().unwrap();
    assert!(stamp(&old) > stamp(&new));
    window.asks["lists"]["all"]["ranges"] = json!([[2, 2]]);
    assert_eq!(told(&window.next().await), [&*middle]);
    window.asks["lists"]["all"]["ranges"] = json!([[3, 9]]);
    let answer = window.next().await;
    assert_eq!(
        (told(&answer).len(), &answer["lists"]["all"]["count"]),
        (0, &json!(3))
    );
}

async fn a_room_that_is_talked_in_comes_into_view(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let old = node.public(&alice).await;
    let new = node.public(&alice).await;
    let window = node.window(&alice, json!({ "lists": { "all": list(0, 1) } }));
    let mut window = window.ready().await;
    let answer = window.woken_by(node.say(&alice, &old, "wake up")).await;
    assert_eq!(told(&answer), [&*old]);
    let room = &answer["rooms"][&old];
    assert_eq!(
        (&room["initial"], &room["num_live"]),
        (&json!(true), &json!(1))
    );
    // The other is out of view now, and is told of again when it comes back: what was missed.
    node.set(&alice, &new, ("m.room.topic", ""), json!({ "topic": "t" }))
        .await;
    assert!(told(&window.next().await).is_empty());
    node.say(&alice, &new, "me too").await;
    let answer = window.next().await;
    let room = &answer["rooms"][&new];
    assert_eq!(said(room), ["me too"]);
    assert!(room.get("initial").is_none() && room["limited"] == true);
}

async fn what_is_not_meant_to_be_read_moves_nothing(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let quiet = node.public(&alice).await;
    let lively = node.public(&alice).await;
    let window = node.window(&alice, json!({ "lists": { "all": list(0, 1) } }));
    let mut window = window.ready().await;
    node.go(&bob, "join", &quiet).await;
    let event = node.say(&alice, &lively, "hello").await;
    let reaction = json!({ "m.relates_to": {
        "rel_type": "m.annotation", "event_id": event, "key": "+"
    }});
    node.send(&alice, &quiet, "m.reaction", reaction).await;
    assert_eq!(told(&window.next().await), [&*lively]);
}

async fn several_ranges_are_one_view(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let mut rooms = Vec::new();
    for _ in 0..5 {
        rooms.insert(0, node.public(&alice).await);
    }
    let mut asks = json!({ "lists": { "all": list(0, 1) } });
    asks["lists"]["all"]["ranges"] = json!([[0, 1], [1, 1], [4, 20]]);
    let answer = node.window(&alice, asks).next().await;
    let mut expected = [&*rooms[0], &rooms[1], &rooms[4]];
    expected.sort_unstable();
    assert_eq!(told(&answer), expected);
}

async fn the_window_grows(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let rooms = [
        node.public(&alice).await,
        node.public(&alice).await,
        node.public(&alice).await,
    ];
    let mut window = node.window(&alice, json!({ "lists": { "all": list(0, 1) } }));
    assert_eq!(told(&window.next().await), [&*rooms[2]]);
    window.asks["lists"]["all"]["ranges"] = json!([[0, 99]]);
    // What was told already is not told again.
    let mut others = [&*rooms[0], &rooms[1]];
    others.sort_unstable();
    assert_eq!(told(&window.next().await), others);
    assert!(told(&window.next().await).is_empty());
}

async fn filters_let_pass_what_they_say(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let plain = node.public(&alice).await;
    let encryption = json!([{ "type": "m.room.encryption", "state_key": "",
        "content": { "algorithm": "m.megolm.v1.aes-sha2" } }]);
    let encrypted = node
        .create(
            &alice,
            json!({ "preset": "public_chat", "initial_state": encryption }),
        )
        .await;
    let space = json!({ "preset": "public_chat", "creation_content": { "type": "m.space" } });
    let space = node.create(&alice, space).await;
    let invited = node.public(&bob).await;
    node.on(&bob, "invite", &invited, &alice).await;
    for (filters, passing) in [
        (json!({}), vec![&plain, &encrypted, &space, &invited]),
        (json!({ "is_encrypted": true }), vec![&encrypted]),
        (
            json!({ "is_encrypted": false }),
            vec![&plain, &space, &invited],
        ),
        (json!({ "is_invite": true }), vec![&invited]),
        (
            json!({ "is_invite": false }),
            vec![&plain, &encrypted, &space],
        ),
        (json!({ "room_types": ["m.space"] }), vec![&space]),
        (
            json!({ "room_types": [null] }),
            vec![&plain, &encrypted, &invited],
        ),
        (
            json!({ "room_types": ["m.space", null] }),
            vec![&plain, &encrypted, &space, &invited],
        ),
        (
            json!({ "not_room_types": ["m.space"] }),
            vec![&plain, &encrypted, &invited],
        ),
        (
            json!({ "room_types": ["m.space"], "not_room_types": ["m.space"] }),
            vec![],
        ),
        (json!({ "room_types": ["org.example"] }), vec![]),
        (json!({ "is_encrypted": true, "is_invite": true }), vec![]),
    ] {
        let mut asks = json!({ "lists": { "some": list(99, 1) } });
        asks["lists"]["some"]["filters"] = filters.clone();
        let answer = node.window(&alice, asks).next().await;
        let mut passing: Vec<&str> = passing.into_iter().map(String::as_str).collect();
        passing.sort_unstable();
        assert_eq!(told(&answer), passing, "{filters}");
        assert_eq!(answer["lists"]["some"]["count"], passing.len(), "{filters}");
    }
}

async fn direct_chats_are_known(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let chat = node.public(&alice).await;
    let room = node.public(&alice).await;
    let direct = json!({ &bob.user_id: [chat, 7, "nonsense"], "@x:y": "nonsense" });
    node.keep(&alice, None, "m.direct", direct).await;
    for (is_dm, passing) in [(true, &chat), (false, &room)] {
        let mut asks = json!({ "lists": { "some": list(99, 1) } });
        asks["lists"]["some"]["filters"] = json!({ "is_dm": is_dm });
        let answer = node.window(&alice, asks).next().await;
        // One entry that is no list of rooms does not spoil the others.
        assert_eq!(told(&answer), [&**passing]);
        assert_eq!(answer["rooms"][passing]["is_dm"], is_dm);
    }
}

async fn rooms_are_subscribed_to_by_their_members_alone(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let hers = node.public(&alice).await;
    let his = node.public(&bob).await;
    let wanted = json!({ "required_state": [["m.room.create", ""]], "timeline_limit": 5 });
    let asks = json!({ "room_subscriptions": {
        &hers: wanted, &his: wanted, "!nowhere": wanted,
    }});
    let mut window = node.window(&alice, asks);
    let answer = window.next().await;
    assert_eq!(told(&answer), [&*hers]);
    assert_eq!(answer["lists"], json!({}));
    node.say(&bob, &his, "secret").await;
    assert!(told(&window.next().await).is_empty());
    // No longer subscribed, no longer told.
    window.asks = json!({});
    node.say(&alice, &hers, "to myself").await;
    assert!(told(&window.next().await).is_empty());
    window.asks = json!({ "room_subscriptions": { &hers: wanted } });
    assert_eq!(said(&window.next().await["rooms"][&hers]), ["to myself"]);
}

async fn two_that_want_the_same_room_get_what_both_want(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    for text in ["one", "two", "three"] {
        node.say(&alice, &room, text).await;
    }
    let asks = json!({
        "lists": { "all": { "ranges": [[0, 0]], "timeline_limit": 1,
            "required_state": [["m.room.create", ""]] } },
        "room_subscriptions": { &room: { "timeline_limit": 2,
            "required_state": [["m.room.join_rules", ""]] } },
    });
    let answer = node.window(&alice, asks).next().await;
    let room = &answer["rooms"][&room];
    assert_eq!(said(room), ["two", "three"]);
    assert_eq!(
        super::slots(room),
        [("m.room.create", ""), ("m.room.join_rules", "")]
    );
}

async fn many_rooms_come_over_several_answers(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    for _ in 0..203 {
        node.public(&alice).await;
    }
    let mut window = node.window(&alice, json!({ "lists": { "all": list(999, 1) } }));
    let first = window.next().await;
    assert_eq!(
        (told(&first).len(), &first["lists"]["all"]["count"]),
        (200, &json!(203))
    );
    // The rest does not wait for anything to happen.
    let rest = window.sync(std::time::Duration::from_secs(60)).await;
    assert_eq!(told(&rest).len(), 3);
    assert!(told(&rest).iter().all(|room| !told(&first).contains(room)));
}

async fn what_is_asked_for_in_excess_is_refused(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let many = |count: usize, entry: Value| Value::Array(vec![entry; count]);
    let with = |key: &str, value: Value| {
        let mut asked = list(0, 1);
        asked[key] = value;
        json!({ "lists": { "all": asked } })
    };
    let lists: serde_json::Map<String, Value> =
        (0..33).map(|name| (name.to_string(), list(0, 1))).collect();
    for asks in [
        json!({ "conn_id": "x".repeat(65) }),
        json!({ "conn_id": "a\u{0}b" }),
        json!({ "lists": lists }),
        with("ranges", json!([[5, 4]])),
        with("ranges", many(33, json!([0, 1]))),
        with("required_state", many(257, json!(["a", "b"]))),
        json!({ "extensions": { "to_device": { "enabled": true, "since": "yesterday" } } }),
        json!({ "extensions": { "typing": { "enabled": true, "lists": many(1001, json!("l")) } } }),
    ] {
        let (status, body) = node
            .ask(&alice.token, "POST", super::PATH, asks.to_string())
            .await;
        let refused = (status.as_u16(), &body["errcode"]);
        assert_eq!(refused, (400, &json!("M_INVALID_PARAM")), "{asks} {body}");
    }
}

//! What is told of one room: all of it, what changed, and what the user may know of it.

use serde_json::{Value, json};

use super::{said, slots, told};
use crate::{
    server::{Server, on_both_engines},
    stage::{ids, texts},
};

on_both_engines! {
    shared_postgres;
    a_room_is_told_once_in_full_and_then_by_what_changed,
    state_is_told_as_it_was_asked_for,
    state_that_is_asked_for_later_is_told,
    all_state_may_be_asked_for,
    members_come_as_they_speak,
    changed_state_is_told_across_a_gap,
    a_longer_timeline_is_told_when_it_is_wanted,
    no_timeline_may_be_wanted,
    a_room_without_a_name_has_heroes,
    a_name_and_a_picture_come_and_go,
    who_is_asked_in_knows_little,
    a_knock_is_told,
    who_declines_is_told_so_once,
    who_leaves_is_told_so_once,
    who_is_sent_out_learns_nothing_of_later,
    who_comes_back_begins_anew,
    a_forgotten_room_is_not_there,
    what_is_unread_is_counted,
    ignored_people_are_not_heard,
    an_own_message_comes_back_with_its_transaction,
}

async fn a_room_is_told_once_in_full_and_then_by_what_changed(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node
        .create(&alice, json!({ "preset": "public_chat", "name": "N" }))
        .await;
    for text in ["one", "two", "three"] {
        node.say(&alice, &room, text).await;
    }
    let mut window = node.window(&alice, json!({ "lists": { "all": super::list(9, 2) } }));
    let answer = window.next().await;
    let first = &answer["rooms"][&room];
    assert_eq!(said(first), ["two", "three"]);
    assert_eq!(
        (&first["initial"], &first["limited"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(
        (&first["name"], &first["num_live"]),
        (&json!("N"), &json!(0))
    );
    assert_eq!(
        (&first["joined_count"], &first["invited_count"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(first["notification_count"], 0);
    // Reading on backwards begins where the timeline does.
    let from = first["prev_batch"].as_str().unwrap();
    let before = node
        .get(
            &alice,
            &format!("rooms/{room}/messages?dir=b&limit=1&from={from}"),
        )
        .await;
    assert_eq!(before["chunk"][0]["content"]["body"], "one");
    let id = node.say(&alice, &room, "four").await;
    let answer = window.next().await;
    let next = &answer["rooms"][&room];
    assert_eq!(ids(&super::listed(&next["timeline"])), [&*id]);
    assert_eq!(next["num_live"], 1);
    for absent in [
        "initial",
        "limited",
        "name",
        "required_state",
        "joined_count",
    ] {
        assert!(next.get(absent).is_none(), "{absent}: {next}");
    }
    assert!(told(&window.next().await).is_empty());
}

async fn state_is_told_as_it_was_asked_for(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node
        .create(&alice, json!({ "preset": "public_chat", "name": "N" }))
        .await;
    node.go(&bob, "join", &room).await;
    node.set(&alice, &room, ("org.example", "a"), json!({ "n": 1 }))
        .await;
    node.set(&alice, &room, ("org.example", "b"), json!({ "n": 1 }))
        .await;
    let asks = |state: Value| {
        json!({ "lists": { "all": {
            "ranges": [[0, 9]], "timeline_limit": 0, "required_state": state,
        }}})
    };
    let (hers, his) = (alice.user_id.as_str(), bob.user_id.as_str());
    let member = "m.room.member";
    for (state, expected) in [
        (json!([]), vec![]),
        (
            json!([["m.room.name", ""], ["m.room.topic", ""]]),
            vec![("m.room.name", "")],
        ),
        (json!([["org.example", "a"]]), vec![("org.example", "a")]),
        (
            json!([["org.example", "*"]]),
            vec![("org.example", "a"), ("org.example", "b")],
        ),
        (json!([["*", "b"]]), vec![("org.example", "b")]),
        (json!([[member, "$ME"]]), vec![(member, hers)]),
        (json!([[member, his]]), vec![(member, his)]),
        (json!([[member, "$LAZY"]]), vec![]),
        (json!([["org.example", "$LAZY"]]), vec![]),
    ] {
        let answer = node.window(&alice, asks(state.clone())).next().await;
        let mut expected = expected;
        expected.sort_unstable();
        assert_eq!(slots(&answer["rooms"][&room]), expected, "{state}");
    }
    let mut window = node
        .window(&alice, asks(json!([["org.example", "a"]])))
        .ready()
        .await;
    node.set(&alice, &room, ("org.example", "b"), json!({ "n": 2 }))
        .await;
    assert!(slots(&window.next().await["rooms"][&room]).is_empty());
    node.set(&alice, &room, ("org.example", "a"), json!({ "n": 2 }))
        .await;
    let answer = window.next().await;
    assert_eq!(slots(&answer["rooms"][&room]), [("org.example", "a")]);
    assert_eq!(
        answer["rooms"][&room]["required_state"][0]["content"]["n"],
        2
    );
}

async fn state_that_is_asked_for_later_is_told(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node
        .create(&alice, json!({ "preset": "public_chat", "topic": "T" }))
        .await;
    let mut window = node.everything(&alice).ready().await;
    window.asks["room_subscriptions"] = json!({ &room: {
        "required_state": [["m.room.topic", ""]], "timeline_limit": 1,
    }});
    let answer = window.next().await;
    let update = &answer["rooms"][&room];
    assert!(slots(update).contains(&("m.room.topic", "")), "{update}");
    assert!(update.get("initial").is_none() && said(update).is_empty());
    assert!(told(&window.next().await).is_empty());
}

async fn all_state_may_be_asked_for(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    node.say(&bob, &room, "hello").await;
    let state = node.get(&alice, &format!("rooms/{room}/state")).await;
    let all = state.as_array().unwrap().len();
    let asks = |state: Value, limit: u64| {
        json!({ "room_subscriptions": { &room: {
            "required_state": state, "timeline_limit": limit,
        }}})
    };
    let mut window = node.window(&alice, asks(json!([["*", "*"]]), 1));
    assert_eq!(slots(&window.next().await["rooms"][&room]).len(), all);
    // All, but members as they speak: alice is one of two members, and silent.
    let lazily = json!([["*", "*"], ["m.room.member", "$LAZY"]]);
    let answer = node.window(&alice, asks(lazily, 1)).next().await;
    assert_eq!(slots(&answer["rooms"][&room]).len(), all - 1);
    assert!(slots(&answer["rooms"][&room]).contains(&("m.room.member", &bob.user_id)));
}

async fn members_come_as_they_speak(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    node.say(&alice, &room, "hello").await;
    let asks = json!({ "lists": { "all": {
        "ranges": [[0, 9]], "timeline_limit": 1, "required_state": [["m.room.member", "$LAZY"]],
    }}});
    let mut window = node.window(&alice, asks);
    let (hers, his) = (alice.user_id.as_str(), bob.user_id.as_str());
    assert_eq!(
        slots(&window.next().await["rooms"][&room]),
        [("m.room.member", hers)]
    );
    node.say(&bob, &room, "hello too").await;
    assert_eq!(
        slots(&window.next().await["rooms"][&room]),
        [("m.room.member", his)]
    );
}

async fn changed_state_is_told_across_a_gap(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node
        .create(&alice, json!({ "preset": "public_chat", "name": "old" }))
        .await;
    let mut window = node.window(&alice, json!({ "lists": { "all": super::list(9, 1) } }));
    window.next().await;
    node.set(&alice, &room, ("m.room.name", ""), json!({ "name": "new" }))
        .await;
    for text in ["one", "two"] {
        node.say(&alice, &room, text).await;
    }
    let answer = window.next().await;
    let update = &answer["rooms"][&room];
    assert_eq!(said(update), ["two"]);
    assert_eq!(
        (&update["limited"], &update["name"]),
        (&json!(true), &json!("new"))
    );
    assert_eq!(slots(update), [("m.room.name", "")]);
    assert_eq!(update["required_state"][0]["content"]["name"], "new");
}

async fn a_longer_timeline_is_told_when_it_is_wanted(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    for text in ["one", "two", "three"] {
        node.say(&alice, &room, text).await;
    }
    let mut window = node.window(&alice, json!({ "lists": { "all": super::list(9, 1) } }));
    window.next().await;
    window.asks["lists"]["all"]["timeline_limit"] = json!(3);
    let answer = window.next().await;
    let update = &answer["rooms"][&room];
    assert_eq!(said(update), ["one", "two", "three"]);
    assert_eq!(update["unstable_expanded_timeline"], true);
    assert_eq!(update["num_live"], 0);
    assert!(update.get("initial").is_none());
    assert!(told(&window.next().await).is_empty());
    // A shorter one takes nothing away, and the longer one again tells nothing again.
    for limit in [1, 3] {
        window.asks["lists"]["all"]["timeline_limit"] = json!(limit);
        assert!(told(&window.next().await).is_empty());
    }
}

async fn no_timeline_may_be_wanted(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let mut window = node.window(&alice, json!({ "lists": { "all": super::list(9, 0) } }));
    let answer = window.next().await;
    let first = &answer["rooms"][&room];
    assert!(first.get("timeline").is_none() && first["limited"] == true);
    assert_eq!(slots(first).len(), 2);
}

async fn a_room_without_a_name_has_heroes(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&alice).await;
    let avatar = "mxc://example.org/bob";
    let profile = |field: &str| format!("profile/{}/{field}", bob.user_id);
    node.call(
        &bob,
        "PUT",
        &profile("displayname"),
        json!({ "displayname": "Bob" }),
    )
    .await;
    node.call(
        &bob,
        "PUT",
        &profile("avatar_url"),
        json!({ "avatar_url": avatar }),
    )
    .await;
    let mut window = node.everything(&alice);
    let answer = window.next().await;
    assert!(answer["rooms"][&room].get("heroes").is_none());
    node.go(&bob, "join", &room).await;
    let answer = window.next().await;
    let update = &answer["rooms"][&room];
    let bob = json!({ "user_id": bob.user_id, "displayname": "Bob", "avatar_url": avatar });
    assert_eq!(update["heroes"], json!([bob]));
    assert_eq!(update["joined_count"], 2);
}

async fn a_name_and_a_picture_come_and_go(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let mut window = node.everything(&alice);
    let answer = window.next().await;
    assert!(answer["rooms"][&room].get("avatar").is_none());
    let picture = json!({ "url": "mxc://example.org/picture" });
    node.set(&alice, &room, ("m.room.avatar", ""), picture)
        .await;
    node.set(&alice, &room, ("m.room.name", ""), json!({ "name": "N" }))
        .await;
    let answer = window.next().await;
    let update = &answer["rooms"][&room];
    assert_eq!(
        (&update["avatar"], &update["name"]),
        (&json!("mxc://example.org/picture"), &json!("N"))
    );
    node.set(&alice, &room, ("m.room.avatar", ""), json!({}))
        .await;
    let answer = window.next().await;
    assert_eq!(answer["rooms"][&room].get("avatar"), Some(&Value::Null));
}

async fn who_is_asked_in_knows_little(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let private = json!({ "preset": "private_chat", "name": "N", "topic": "T" });
    let room = node.create(&alice, private).await;
    node.say(&alice, &room, "secret").await;
    let mut window = node.everything(&bob).ready().await;
    node.on(&alice, "invite", &room, &bob).await;
    let answer = window.next().await;
    let update = &answer["rooms"][&room];
    let stripped = update["invite_state"].as_array().unwrap();
    let own = stripped
        .iter()
        .find(|event| event["state_key"] == bob.user_id.as_str());
    assert_eq!(own.unwrap()["content"]["membership"], "invite");
    assert!(stripped.iter().any(|event| event["content"]["name"] == "N"));
    for absent in [
        "timeline",
        "required_state",
        "prev_batch",
        "joined_count",
        "num_live",
    ] {
        assert!(update.get(absent).is_none(), "{absent}: {update}");
    }
    node.say(&alice, &room, "still secret").await;
    assert!(told(&window.next().await).is_empty());
    node.go(&bob, "join", &room).await;
    let answer = window.next().await;
    let update = &answer["rooms"][&room];
    assert_eq!(update["initial"], true);
    assert!(update.get("invite_state").is_none() && !slots(update).is_empty());
}

async fn a_knock_is_told(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let rule = json!([{ "type": "m.room.join_rules", "state_key": "",
        "content": { "join_rule": "knock" } }]);
    let room = node.create(&alice, json!({ "initial_state": rule })).await;
    let mut window = node.everything(&bob).ready().await;
    node.go(&bob, "knock", &room).await;
    let answer = window.next().await;
    let stripped = answer["rooms"][&room]["invite_state"].as_array().unwrap();
    let own = stripped
        .iter()
        .find(|event| event["state_key"] == bob.user_id.as_str());
    assert_eq!(own.unwrap()["content"]["membership"], "knock");
}

async fn who_declines_is_told_so_once(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node
        .create(&alice, json!({ "invite": [bob.user_id] }))
        .await;
    let mut window = node.everything(&bob).ready().await;
    node.go(&bob, "leave", &room).await;
    let answer = window.next().await;
    let update = &answer["rooms"][&room];
    assert_eq!(slots(update), [("m.room.member", &*bob.user_id)]);
    assert_eq!(update["timeline"].as_array().unwrap().len(), 1);
    assert!(told(&window.next().await).is_empty());
}

async fn who_leaves_is_told_so_once(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    let mut window = node.everything(&bob).ready().await;
    node.say(&alice, &room, "wait").await;
    node.go(&bob, "leave", &room).await;
    let answer = window.next().await;
    let update = &answer["rooms"][&room];
    assert_eq!(said(update), ["wait"]);
    assert_eq!(update["timeline"][1]["content"]["membership"], "leave");
    assert_eq!(
        update["required_state"][0]["content"]["membership"],
        "leave"
    );
    let answer = window.next().await;
    assert_eq!(
        (told(&answer).len(), &answer["lists"]["all"]["count"]),
        (0, &json!(0))
    );
    // Who begins now hears nothing of it.
    let answer = node.everything(&bob).next().await;
    assert!(told(&answer).is_empty());
}

async fn who_is_sent_out_learns_nothing_of_later(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    let mut window = node.everything(&bob).ready().await;
    node.on(&alice, "ban", &room, &bob).await;
    node.say(&alice, &room, "secret").await;
    node.set(
        &alice,
        &room,
        ("m.room.name", ""),
        json!({ "name": "secret" }),
    )
    .await;
    let answer = window.next().await;
    let update = &answer["rooms"][&room];
    assert_eq!(update["timeline"].as_array().unwrap().len(), 1);
    assert_eq!(update["timeline"][0]["content"]["membership"], "ban");
    assert_eq!(slots(update), [("m.room.member", &*bob.user_id)]);
    assert!(!answer.to_string().contains("secret"), "{answer}");
    node.say(&alice, &room, "more secrets").await;
    assert!(told(&window.next().await).is_empty());
}

async fn who_comes_back_begins_anew(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    let mut window = node.everything(&bob).ready().await;
    node.go(&bob, "leave", &room).await;
    node.go(&bob, "join", &room).await;
    let answer = window.next().await;
    let update = &answer["rooms"][&room];
    assert_eq!(
        update["timeline"].as_array().unwrap().last().unwrap()["content"]["membership"],
        "join"
    );
    node.go(&bob, "leave", &room).await;
    window.next().await;
    node.go(&bob, "join", &room).await;
    assert_eq!(window.next().await["rooms"][&room]["initial"], true);
}

async fn a_forgotten_room_is_not_there(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    let mut window = node.everything(&bob).ready().await;
    node.go(&bob, "leave", &room).await;
    node.go(&bob, "forget", &room).await;
    let answer = window.next().await;
    assert_eq!(
        (told(&answer).len(), &answer["lists"]["all"]["count"]),
        (0, &json!(0))
    );
}

async fn what_is_unread_is_counted(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    let mut window = node.everything(&bob).ready().await;
    node.say(&alice, &room, "hello").await;
    let text = format!("hey {}", bob.localpart());
    let mentions = json!({ "msgtype": "m.text", "body": text,
        "m.mentions": { "user_ids": [bob.user_id] } });
    let last = node.send(&alice, &room, "m.room.message", mentions).await;
    let counts = |answer: &Value| {
        let room = &answer["rooms"][&room];
        (
            room["notification_count"].as_u64(),
            room["highlight_count"].as_u64(),
        )
    };
    assert_eq!(counts(&window.next().await), (Some(2), Some(1)));
    // Reading is news of its own.
    node.read(&bob, &room, "m.read.private", &last, json!({}))
        .await;
    assert_eq!(counts(&window.next().await), (Some(0), Some(0)));
    assert!(told(&window.next().await).is_empty());
}

async fn ignored_people_are_not_heard(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    let ignored = json!({ "ignored_users": { &alice.user_id: {} } });
    node.keep(&bob, None, "m.ignored_user_list", ignored).await;
    let other = node.public(&alice).await;
    node.on(&alice, "invite", &other, &bob).await;
    let mut window = node.everything(&bob);
    let answer = window.next().await;
    assert_eq!(
        (told(&answer), &answer["lists"]["all"]["count"]),
        (vec![&*room], &json!(1))
    );
    node.say(&alice, &room, "hello").await;
    assert!(
        texts(&super::listed(
            &window.next().await["rooms"][&room]["timeline"]
        ))
        .is_empty()
    );
    // Who hears her again learns of her invitation.
    node.keep(
        &bob,
        None,
        "m.ignored_user_list",
        json!({ "ignored_users": {} }),
    )
    .await;
    assert!(window.next().await["rooms"][&other]["invite_state"].is_array());
}

async fn an_own_message_comes_back_with_its_transaction(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let mut window = node.everything(&alice).ready().await;
    let content = json!({ "msgtype": "m.text", "body": "hello" });
    let rest = format!("rooms/{room}/send/m.room.message/mine");
    node.call(&alice, "PUT", &rest, content).await;
    let answer = window.next().await;
    let unsigned = &answer["rooms"][&room]["timeline"][0]["unsigned"];
    assert_eq!(unsigned["transaction_id"], "mine");
}

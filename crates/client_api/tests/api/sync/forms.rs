//! Events in other forms than the usual one: parts of them, or as servers exchange them.

use serde_json::{Value, json};

use crate::{
    server::{Node, Server, User, on_both_engines},
    stage::{events, joined, left, of_type},
};

on_both_engines! {
    shared_postgres;
    of_events_only_the_wanted_parts_are_told,
    dots_and_backslashes_in_names_are_escaped,
    events_are_told_as_servers_exchange_them,
    all_else_stays_as_it_is,
}

async fn told(node: &Node, user: &User, filter: Value) -> Value {
    node.client(user).filtered(&filter).next().await
}

async fn of_events_only_the_wanted_parts_are_told(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let content = json!({ "msgtype": "m.text", "body": "x", "deep": { "a": { "b": 1 }, "c": 2 } });
    let said = node.send(&alice, &room, "m.room.message", content).await;
    for (fields, wanted) in [
        (json!(["content.body"]), json!({ "body": "x" })),
        (
            json!(["content.deep.a", "content.msgtype"]),
            json!({ "msgtype": "m.text", "deep": { "a": { "b": 1 } } }),
        ),
        (
            json!(["content.deep.a.b"]),
            json!({ "deep": { "a": { "b": 1 } } }),
        ),
        (json!(["content.body.length", "room_id"]), json!({})),
        (json!([]), json!({})),
    ] {
        // As a filter that is given, and as one that is kept.
        let filter = json!({ "event_fields": fields });
        let path = format!("user/{}/filter", alice.user_id);
        let kept = node.call(&alice, "POST", &path, filter.clone()).await;
        let kept = format!("filter={}", kept["filter_id"].as_str().unwrap());
        for mut client in [
            node.client(&alice).filtered(&filter),
            node.client(&alice).with(&kept),
        ] {
            let answer = client.next().await;
            let events = events(&joined(&answer, &room)["timeline"]);
            let event = events.last().unwrap();
            assert_eq!(event["content"], wanted, "{filter}");
            assert_eq!(event["event_id"], said);
            assert_eq!(event["type"], "m.room.message");
            assert_eq!(event["sender"], alice.user_id);
            assert!(event.get("unsigned").is_none(), "{event}");
        }
    }
    let whole = json!({ "event_fields": ["content", "unsigned.age"] });
    let answer = told(&node, &alice, whole).await;
    let event = events(&joined(&answer, &room)["timeline"])
        .last()
        .unwrap()
        .clone();
    assert_eq!(event["content"]["deep"]["c"], 2);
    let beside = event["unsigned"].as_object().unwrap();
    assert_eq!(beside.keys().collect::<Vec<_>>(), ["age"]);
}

async fn dots_and_backslashes_in_names_are_escaped(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let content = json!({ "a.b": { "c": 1 }, "a": { "b": { "c": 2 } }, r"d\": { "e": 3 } });
    node.send(&alice, &room, "org.example.note", content).await;
    for (field, wanted) in [
        (r"content.a\.b.c", json!({ "a.b": { "c": 1 } })),
        ("content.a.b.c", json!({ "a": { "b": { "c": 2 } } })),
        (r"content.d\\.e", json!({ r"d\": { "e": 3 } })),
        (r"content.d\", json!({ r"d\": { "e": 3 } })),
    ] {
        let answer = told(&node, &alice, json!({ "event_fields": [field] })).await;
        let timeline = &joined(&answer, &room)["timeline"];
        let event = of_type(timeline, "org.example.note").unwrap();
        assert_eq!(event["content"], wanted, "{field}");
    }
}

async fn events_are_told_as_servers_exchange_them(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let filter = json!({ "event_format": "federation", "room": { "timeline": { "limit": 2 } } });
    for version in ["11", "12"] {
        let room = json!({ "preset": "public_chat", "room_version": version });
        let room = node.create(&alice, room).await;
        let first = node.say(&alice, &room, "one").await;
        let second = node.say(&alice, &room, "two").await;
        let answer = told(&node, &alice, filter.clone()).await;
        let told = joined(&answer, &room);
        let shown = events(&told["timeline"]);
        assert_eq!(shown[0]["event_id"], first);
        let event = &shown[1];
        assert_eq!(event["event_id"], second);
        assert_eq!(event["prev_events"], json!([first]));
        assert_eq!(event["room_id"], room);
        assert_eq!(event["content"]["body"], "two");
        assert!(event["depth"].as_u64().unwrap() > 2);
        assert!(!event["auth_events"].as_array().unwrap().is_empty());
        assert!(event["hashes"]["sha256"].is_string());
        assert!(event["unsigned"]["age"].is_u64());
        let create = of_type(&told["state"], "m.room.create").unwrap();
        assert_eq!(create["depth"], 1);
        assert_eq!(create.get("room_id").is_some(), version == "11");
        // What was redacted is told as it is now.
        node.redact(&alice, &room, &second).await;
        let answer = node.client(&alice).filtered(&filter).next().await;
        let event = &events(&joined(&answer, &room)["timeline"])[0];
        assert_eq!(event["event_id"], second);
        assert_eq!(event["content"], json!({}));
        assert!(event["hashes"]["sha256"].is_string());
    }
    let both = json!({ "event_format": "federation", "event_fields": ["depth"] });
    let room = node.public(&alice).await;
    let answer = told(&node, &alice, both).await;
    let event = events(&joined(&answer, &room)["timeline"])
        .last()
        .unwrap()
        .clone();
    assert!(
        event["depth"].is_u64() && event.get("hashes").is_none(),
        "{event}"
    );
}

async fn all_else_stays_as_it_is(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let filter = json!({ "event_format": "federation", "event_fields": ["depth"] });
    let room = node.create(&alice, json!({ "name": "a name" })).await;
    node.keep(&bob, None, "org.example.note", json!({ "kept": 1 }))
        .await;
    node.on(&alice, "invite", &room, &bob).await;
    let mut client = node.client(&bob).filtered(&filter);
    let answer = client.next().await;
    let kept = of_type(&answer["account_data"], "org.example.note").unwrap();
    assert_eq!(kept["content"], json!({ "kept": 1 }));
    let invite = &answer["rooms"]["invite"][&room]["invite_state"];
    let name = of_type(invite, "m.room.name").unwrap();
    assert_eq!(name["content"]["name"], "a name");
    node.go(&bob, "leave", &room).await;
    let answer = client.next().await;
    let own = of_type(&left(&answer, &room)["timeline"], "m.room.member").unwrap();
    assert!(own["depth"].is_u64(), "{own}");
}

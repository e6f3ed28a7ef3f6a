//! What was asked before there was a sync: the state of now, the stream of events, and looking
//! into rooms that anybody may read.

use std::{pin::pin, time::Duration};

use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{
    server::{Node, Server, User, on_both_engines},
    stage::Room,
};

on_both_engines! {
    shared_postgres;
    a_room_now_is_its_state_and_its_newest_events,
    who_has_left_reads_a_room_as_it_was,
    anybody_looks_into_a_world_readable_room_and_into_no_other,
    all_rooms_now_are_those_of_the_user,
    the_stream_has_what_happens_in_all_rooms_in_order,
    the_stream_tells_who_comes_in_and_out_of_rooms,
    a_long_stream_comes_in_pieces_and_misses_nothing,
    a_looker_on_follows_a_room_until_it_closes,
    one_event_is_for_those_who_may_see_it,
    what_is_no_token_or_room_is_refused,
}

/// Events, from a list.
fn list(events: &Value) -> &[Value] {
    events.as_array().unwrap()
}

fn bodies(events: &Value) -> Vec<&str> {
    let bodies = list(events).iter();
    bodies
        .filter_map(|event| event["content"]["body"].as_str())
        .collect()
}

fn types(events: &Value) -> Vec<&str> {
    let types = list(events).iter();
    types.map(|event| event["type"].as_str().unwrap()).collect()
}

fn end(answer: &Value) -> &str {
    answer["end"].as_str().unwrap()
}

async fn now(node: &Node, user: &User, room: &str) -> Value {
    node.get(user, &format!("rooms/{room}/initialSync")).await
}

async fn opened(node: &Node, user: &User, room: &str, visibility: &str) {
    let content = json!({ "history_visibility": visibility });
    node.set(user, room, ("m.room.history_visibility", ""), content)
        .await;
}

async fn is_hidden(node: &Node, user: &User, rest: &str) {
    let path = format!("/_matrix/client/v3/{rest}");
    let refused = node.refused(&user.token, "GET", &path, "").await;
    assert_eq!(refused, (403, "M_FORBIDDEN".into()), "{rest}");
}

async fn a_room_now_is_its_state_and_its_newest_events(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let body = json!({ "visibility": "public", "name": "Lobby" });
    let room = node.create(&alice, body).await;
    for number in 0..12 {
        node.say(&alice, &room, &number.to_string()).await;
    }
    node.keep(&alice, Some(&room), "org.example.note", json!({ "n": 1 }))
        .await;
    let told = now(&node, &alice, &room).await;
    assert_eq!(
        (&told["room_id"], &told["membership"]),
        (&json!(room), &json!("join"))
    );
    assert_eq!(told["visibility"], "public");
    let note = json!([{ "type": "org.example.note", "content": { "n": 1 } }]);
    assert_eq!(told["account_data"], note);
    let messages = &told["messages"];
    let expected: Vec<String> = (2..12).map(|number| number.to_string()).collect();
    assert_eq!(bodies(&messages["chunk"]), expected);
    let all = list(&messages["chunk"]).iter().chain(list(&told["state"]));
    assert!(
        all.clone()
            .all(|event| event["room_id"] == room && event["event_id"].is_string())
    );
    assert!(types(&told["state"]).contains(&"m.room.name"));
    // Both tokens lead on: to what came before, and to what comes.
    let start = messages["start"].as_str().unwrap();
    let before = node
        .get(
            &alice,
            &format!("rooms/{room}/messages?dir=b&limit=2&from={start}"),
        )
        .await;
    assert_eq!(bodies(&before["chunk"]), ["1", "0"]);
    node.say(&alice, &room, "later").await;
    let after = node
        .get(&alice, &format!("events?from={}", end(messages)))
        .await;
    assert_eq!(bodies(&after["chunk"]), ["later"]);
    let after = node
        .get(
            &alice,
            &format!("rooms/{room}/messages?dir=f&from={}", end(messages)),
        )
        .await;
    assert_eq!(bodies(&after["chunk"]), ["later"]);
}

async fn who_has_left_reads_a_room_as_it_was(server: Server) {
    let node = server.node().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    node.set(
        &alice,
        &room,
        ("m.room.topic", ""),
        json!({ "topic": "then" }),
    )
    .await;
    node.say(&alice, &room, "heard").await;
    node.go(&bob, "leave", &room).await;
    node.set(
        &alice,
        &room,
        ("m.room.topic", ""),
        json!({ "topic": "now" }),
    )
    .await;
    node.say(&alice, &room, "unheard").await;
    let told = now(&node, &bob, &room).await;
    assert_eq!(told["membership"], "leave");
    assert_eq!(bodies(&told["messages"]["chunk"]), ["heard"]);
    let topics = list(&told["state"]).iter();
    let topics: Vec<_> = topics
        .filter(|event| event["type"] == "m.room.topic")
        .collect();
    assert_eq!(topics.len(), 1);
    assert_eq!(topics[0]["content"]["topic"], "then");
    node.on(&alice, "ban", &room, &bob).await;
    let told = now(&node, &bob, &room).await;
    assert_eq!(
        (&told["membership"], bodies(&told["messages"]["chunk"])),
        (&json!("ban"), vec!["heard"])
    );
    is_hidden(&node, &bob, &format!("events?room_id={room}")).await;
}

async fn anybody_looks_into_a_world_readable_room_and_into_no_other(server: Server) {
    let node = server.node().await;
    let (alice, eve) = (node.someone("alice").await, node.someone("eve").await);
    let room = node.public(&alice).await;
    let rests = [
        format!("rooms/{room}/initialSync"),
        format!("events?room_id={room}"),
    ];
    node.say(&alice, &room, "among us").await;
    for visibility in ["joined", "invited", "shared"] {
        opened(&node, &alice, &room, visibility).await;
        for rest in &rests {
            is_hidden(&node, &eve, rest).await;
        }
    }
    // An invitation opens nothing but the door.
    node.on(&alice, "invite", &room, &eve).await;
    for rest in &rests {
        is_hidden(&node, &eve, rest).await;
    }
    node.go(&eve, "leave", &room).await;
    opened(&node, &alice, &room, "world_readable").await;
    node.say(&alice, &room, "to all").await;
    let told = now(&node, &eve, &room).await;
    assert_eq!(bodies(&told["messages"]["chunk"]), ["to all"]);
    assert!(types(&told["state"]).contains(&"m.room.create"));
    assert_eq!(told["membership"], "leave");
    let stranger = node.someone("stranger").await;
    assert_eq!(now(&node, &stranger, &room).await.get("membership"), None);
    for rest in [
        "rooms/!nowhere:localhost/initialSync",
        "events?room_id=!nowhere:localhost",
    ] {
        is_hidden(&node, &eve, rest).await;
    }
    // Looking on takes nobody in, and is no news of theirs.
    node.say(&alice, &room, "more").await;
    let told = node
        .get(&eve, &format!("events?from={}", end(&told["messages"])))
        .await;
    assert_eq!(told["chunk"], json!([]));
    let members = node
        .get(&alice, &format!("rooms/{room}/joined_members"))
        .await;
    assert_eq!(members["joined"].as_object().unwrap().len(), 1);
}

async fn all_rooms_now_are_those_of_the_user(server: Server) {
    let node = server.node().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    let mut rooms: Vec<Room> = Vec::new();
    for _ in 0..5 {
        rooms.push(node.public(&alice).await);
    }
    let [joined, invited, left, declined, banned] = &rooms[..] else {
        unreachable!()
    };
    for room in [joined, left, banned] {
        node.go(&bob, "join", room).await;
        node.say(&alice, room, "one").await;
        node.say(&alice, room, "two").await;
    }
    for room in [invited, declined] {
        node.on(&alice, "invite", room, &bob).await;
    }
    node.go(&bob, "leave", left).await;
    node.go(&bob, "leave", declined).await;
    node.on(&alice, "ban", banned, &bob).await;
    node.keep(&bob, None, "org.example.note", json!({ "n": 1 }))
        .await;
    let status = format!("presence/{}/status", alice.user_id);
    node.call(&alice, "PUT", &status, json!({ "presence": "online" }))
        .await;

    let told = node.get(&bob, "initialSync?limit=1").await;
    let of = |told: &Value, room: &str| {
        let mut found = list(&told["rooms"]).iter();
        found.find(|told| told["room_id"] == room).cloned()
    };
    assert_eq!(list(&told["rooms"]).len(), 2);
    let room = of(&told, joined).unwrap();
    assert_eq!(
        (&room["membership"], bodies(&room["messages"]["chunk"])),
        (&json!("join"), vec!["two"])
    );
    assert!(types(&room["state"]).contains(&"m.room.create"));
    let room = of(&told, invited).unwrap();
    assert_eq!(room["membership"], "invite");
    assert_eq!(room["invite"]["state_key"], bob.user_id);
    assert_eq!(room["invite"]["room_id"], *invited);
    assert_eq!((room.get("state"), room.get("messages")), (None, None));
    assert!(types(&told["account_data"]).contains(&"org.example.note"));
    let present = list(&told["presence"]).iter();
    assert!(
        present
            .map(|event| &event["sender"])
            .any(|sender| *sender == alice.user_id)
    );

    let told = node.get(&bob, "initialSync?archived=true").await;
    assert_eq!(list(&told["rooms"]).len(), 4);
    assert!(of(&told, declined).is_none());
    for (room, membership) in [(left, "leave"), (banned, "ban")] {
        let room = of(&told, room).unwrap();
        assert_eq!(room["membership"], membership);
        assert_eq!(bodies(&room["messages"]["chunk"]), ["one", "two"]);
    }
    node.go(&bob, "forget", left).await;
    let told = node.get(&bob, "initialSync?archived=true").await;
    assert_eq!(list(&told["rooms"]).len(), 3);
}

async fn the_stream_has_what_happens_in_all_rooms_in_order(server: Server) {
    let node = server.node().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    let (one, two) = (node.public(&alice).await, node.public(&alice).await);
    let other = node.public(&alice).await;
    for room in [&one, &two] {
        node.go(&bob, "join", room).await;
    }
    let begin = node.get(&bob, "initialSync").await;
    let rest = format!("events?from={}&timeout=60000", end(&begin));
    let mut waiting = pin!(node.get(&bob, &rest));
    let early = timeout(Duration::from_millis(60), &mut waiting).await;
    assert!(early.is_err(), "it does not wait: {early:?}");
    node.say(&alice, &other, "elsewhere").await;
    let (told, _) = tokio::join!(waiting, node.say(&alice, &one, "1"));
    assert_eq!(bodies(&told["chunk"]), ["1"]);
    assert_eq!(told["start"], begin["end"]);
    let event = &told["chunk"][0];
    assert_eq!(
        (&event["room_id"], &event["sender"]),
        (&json!(one), &json!(alice.user_id))
    );
    assert_eq!(event["unsigned"]["membership"], "join");
    for (room, text) in [(&two, "2"), (&one, "3"), (&two, "4")] {
        node.say(&alice, room, text).await;
    }
    let told = node.get(&bob, &format!("events?from={}", end(&told))).await;
    assert_eq!(bodies(&told["chunk"]), ["2", "3", "4"]);
    let before = end(&told).to_owned();
    let told = node
        .get(&bob, &format!("events?from={before}&timeout=0"))
        .await;
    // Others may write meanwhile: where it ends is further on then.
    assert_eq!(
        (&told["chunk"], &told["start"]),
        (&json!([]), &json!(before))
    );
    // When time is up it says so, and a token of a sync is as good.
    let rest = format!("events?from={}&timeout=5000", end(&told));
    let mut waiting = pin!(node.get(&bob, &rest));
    assert!(
        timeout(Duration::from_millis(60), &mut waiting)
            .await
            .is_err()
    );
    server.deployment.clock.advance(Duration::from_secs(5));
    assert_eq!(waiting.await["chunk"], json!([]));
    let client = node.client(&bob).ready().await;
    node.say(&alice, &one, "5").await;
    let told = node
        .get(&bob, &format!("events?from={}", client.since.unwrap()))
        .await;
    assert_eq!(bodies(&told["chunk"]), ["5"]);
    // Without a token it begins now.
    assert_eq!(node.get(&bob, "events").await["chunk"], json!([]));
}

async fn the_stream_tells_who_comes_in_and_out_of_rooms(server: Server) {
    let node = server.node().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    let room = node.create(&alice, json!({})).await;
    let mut from = end(&node.get(&bob, "events").await).to_owned();
    let mut own = async || {
        let told = node.get(&bob, &format!("events?from={from}")).await;
        from = end(&told).to_owned();
        let own = list(&told["chunk"])
            .iter()
            .filter(|event| event["state_key"] == bob.user_id);
        let own: Vec<_> = own
            .map(|event| event["content"]["membership"].as_str().unwrap().to_owned())
            .collect();
        (
            own,
            bodies(&told["chunk"])
                .into_iter()
                .map(str::to_owned)
                .collect::<Vec<_>>(),
        )
    };
    node.say(&alice, &room, "before").await;
    node.on(&alice, "invite", &room, &bob).await;
    assert_eq!(own().await, (vec!["invite".to_owned()], vec![]));
    node.go(&bob, "join", &room).await;
    node.say(&alice, &room, "inside").await;
    assert_eq!(
        own().await,
        (vec!["join".to_owned()], vec!["inside".to_owned()])
    );
    node.say(&alice, &room, "last").await;
    node.on(&alice, "kick", &room, &bob).await;
    node.say(&alice, &room, "behind").await;
    assert_eq!(
        own().await,
        (vec!["leave".to_owned()], vec!["last".to_owned()])
    );
    node.on(&alice, "ban", &room, &bob).await;
    assert_eq!(own().await, (vec!["ban".to_owned()], vec![]));
    node.say(&alice, &room, "nobody hears").await;
    assert_eq!(own().await, (vec![], vec![]));
}

async fn a_long_stream_comes_in_pieces_and_misses_nothing(server: Server) {
    let node = server.node().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    let (one, two) = (node.public(&alice).await, node.public(&alice).await);
    for room in [&one, &two] {
        node.go(&bob, "join", room).await;
    }
    let mut from = end(&node.get(&bob, "events").await).to_owned();
    let mut expected = Vec::new();
    for number in 0..260 {
        let room = if number < 150 || number % 3 == 0 {
            &one
        } else {
            &two
        };
        let text = number.to_string();
        node.say(&alice, room, &text).await;
        expected.push(text);
    }
    let mut told = Vec::new();
    for _ in 0..4 {
        let answer = node.get(&bob, &format!("events?from={from}")).await;
        let texts = bodies(&answer["chunk"]);
        assert!(texts.len() <= 100);
        told.extend(texts.into_iter().map(str::to_owned));
        from = end(&answer).to_owned();
    }
    assert_eq!(told, expected);
}

async fn a_looker_on_follows_a_room_until_it_closes(server: Server) {
    let node = server.node().await;
    let (alice, eve) = (node.someone("alice").await, node.someone("eve").await);
    let (room, other) = (node.public(&alice).await, node.public(&alice).await);
    for room in [&room, &other] {
        opened(&node, &alice, room, "world_readable").await;
    }
    let begin = now(&node, &eve, &room).await;
    let rest = |from: &str| format!("events?room_id={room}&from={from}&timeout=60000");
    let path = rest(end(&begin["messages"]));
    let mut waiting = pin!(node.get(&eve, &path));
    assert!(
        timeout(Duration::from_millis(60), &mut waiting)
            .await
            .is_err()
    );
    node.say(&alice, &other, "elsewhere").await;
    let (told, _) = tokio::join!(waiting, node.say(&alice, &room, "hello"));
    assert_eq!(bodies(&told["chunk"]), ["hello"]);
    assert_eq!(told["chunk"][0]["room_id"], room);
    // The event that closes it is the last that they see, also of those that were said at once.
    let path = rest(end(&told));
    let waiting = node.get(&eve, &path);
    let closing = async {
        opened(&node, &alice, &room, "shared").await;
        node.say(&alice, &room, "among us").await;
    };
    let (told, ()) = tokio::join!(waiting, closing);
    assert_eq!(types(&told["chunk"]), ["m.room.history_visibility"]);
    is_hidden(&node, &eve, &rest(end(&told))).await;
    // Who is in follows one room among theirs in the same way.
    let begin = node.get(&alice, &format!("events?room_id={room}")).await;
    node.say(&alice, &other, "not this").await;
    node.say(&alice, &room, "this").await;
    let told = node.get(&alice, &rest(end(&begin))).await;
    assert_eq!(bodies(&told["chunk"]), ["this"]);
}

async fn one_event_is_for_those_who_may_see_it(server: Server) {
    let node = server.node().await;
    let (alice, eve) = (node.someone("alice").await, node.someone("eve").await);
    let room = node.public(&alice).await;
    let event = node.say(&alice, &room, "hello").await;
    let rest = format!("events/{event}");
    let told = node.get(&alice, &rest).await;
    assert_eq!(
        (&told["event_id"], &told["room_id"]),
        (&json!(event), &json!(room))
    );
    assert_eq!(
        told,
        node.get(&alice, &format!("rooms/{room}/event/{event}"))
            .await
    );
    let path = format!("/_matrix/client/v3/{rest}");
    let missing = (404, "M_NOT_FOUND".to_owned());
    assert_eq!(node.refused(&eve.token, "GET", &path, "").await, missing);
    let nowhere = node
        .refused(&alice.token, "GET", "/_matrix/client/v3/events/$no", "")
        .await;
    assert_eq!(nowhere, missing);
    let refused = node
        .refused(&alice.token, "GET", "/_matrix/client/v3/events/no", "")
        .await;
    assert_eq!(refused, (400, "M_INVALID_PARAM".into()));
    opened(&node, &alice, &room, "world_readable").await;
    let event = node.say(&alice, &room, "to all").await;
    assert_eq!(
        node.get(&eve, &format!("events/{event}")).await["content"]["body"],
        "to all"
    );
}

async fn what_is_no_token_or_room_is_refused(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    for rest in [
        "events?from=x",
        "events?from=",
        "events?from=t1_",
        "events?timeout=-1",
        "events?timeout=soon",
        "events?room_id=nowhere",
        "initialSync?limit=-1",
        "initialSync?limit=many",
        "initialSync?archived=perhaps",
        "rooms/nowhere/initialSync",
    ] {
        let path = format!("/_matrix/client/v3/{rest}");
        let refused = node.refused(&alice.token, "GET", &path, "").await;
        assert_eq!(refused, (400, "M_INVALID_PARAM".into()), "{rest}");
    }
    for rest in [
        "events",
        "initialSync",
        "events/$x",
        "rooms/!x:localhost/initialSync",
    ] {
        let path = format!("/_matrix/client/v3/{rest}");
        let refused = node.refused("", "GET", &path, "").await;
        assert_eq!(refused, (401, "M_MISSING_TOKEN".into()), "{rest}");
    }
}

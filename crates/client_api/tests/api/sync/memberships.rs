//! Rooms that one leaves, is sent out of, asked into, or asks to be let into.

use serde_json::{Value, json};

use crate::{
    server::{Server, on_both_engines},
    stage::{events, ids, is_silent, joined, left, members, texts, types},
};

on_both_engines! {
    shared_postgres;
    leaving_is_told_once_and_nothing_after_it,
    left_rooms_come_when_asked_for_as_they_were_left,
    who_comes_back_is_told_what_they_may_see,
    a_ban_ends_what_is_told,
    an_invitation_shows_what_the_invited_may_know,
    a_declined_invitation_is_told_as_left,
    an_invitation_after_leaving_opens_no_state,
    a_knock_is_told_until_it_is_answered,
    a_forgotten_room_is_never_told_again,
    a_room_entered_and_left_between_two_syncs_is_told_as_left,
}

fn include_leave() -> Value {
    json!({ "room": { "include_leave": true } })
}

async fn leaving_is_told_once_and_nothing_after_it(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    let mut client = node.client(&bob).ready().await;
    node.say(&alice, &room, "before").await;
    node.go(&bob, "leave", &room).await;
    node.say(&alice, &room, "after").await;
    let answer = client.next().await;
    assert!(joined(&answer, &room).is_null());
    let told = left(&answer, &room);
    assert_eq!(texts(&told["timeline"]), ["before"]);
    assert_eq!(members(&told["timeline"]), [(&*bob.user_id, "leave")]);
    assert_eq!(events(&told["state"]).len(), 0);
    assert!(is_silent(&client.next().await));
    node.say(&alice, &room, "much later").await;
    assert!(is_silent(&client.next().await));
    client.not_woken_by(node.say(&alice, &room, "x")).await;
    assert!(is_silent(&client.next().await));
}

async fn left_rooms_come_when_asked_for_as_they_were_left(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    let topic = node
        .set(
            &alice,
            &room,
            ("m.room.topic", ""),
            json!({"topic": "then"}),
        )
        .await;
    for number in 0..10 {
        node.say(&alice, &room, &format!("{number}")).await;
    }
    node.go(&bob, "leave", &room).await;
    node.set(&alice, &room, ("m.room.topic", ""), json!({"topic": "now"}))
        .await;
    node.say(&alice, &room, "after").await;
    let plain = node.client(&bob).next().await;
    assert!(left(&plain, &room).is_null());
    let answer = node.client(&bob).filtered(&include_leave()).next().await;
    let told = left(&answer, &room);
    assert_eq!(texts(&told["timeline"]).last(), Some(&"9"));
    assert_eq!(members(&told["timeline"]), [(&*bob.user_id, "leave")]);
    assert_eq!(told["timeline"]["limited"], true);
    assert!(ids(&told["state"]).contains(&&*topic));
    assert!(types(&told["state"]).contains(&"m.room.create"));
    let prev = told["timeline"]["prev_batch"].as_str().unwrap();
    let page = format!("rooms/{room}/messages?dir=b&from={prev}&limit=1");
    let page = node.get(&bob, &page).await;
    assert_eq!(page["chunk"][0]["content"]["body"], "0");
}

async fn who_comes_back_is_told_what_they_may_see(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&alice).await;
    let joined_only = json!({"history_visibility": "joined"});
    node.set(
        &alice,
        &room,
        ("m.room.history_visibility", ""),
        joined_only,
    )
    .await;
    node.go(&bob, "join", &room).await;
    let mut client = node.client(&bob).ready().await;
    node.go(&bob, "leave", &room).await;
    node.say(&alice, &room, "while away").await;
    node.go(&bob, "join", &room).await;
    node.say(&alice, &room, "back").await;
    let answer = client.next().await;
    assert!(left(&answer, &room).is_null());
    let told = joined(&answer, &room);
    let shown = texts(&told["timeline"]);
    assert!(shown.contains(&"back") && !shown.contains(&"while away"));
}

async fn a_ban_ends_what_is_told(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    let mut client = node.client(&bob).ready().await;
    node.on(&alice, "ban", &room, &bob).await;
    node.say(&alice, &room, "after").await;
    let answer = client.next().await;
    let told = left(&answer, &room);
    assert_eq!(members(&told["timeline"]), [(&*bob.user_id, "ban")]);
    assert_eq!(texts(&told["timeline"]).len(), 0);
    node.on(&alice, "unban", &room, &bob).await;
    let answer = client.next().await;
    let told = left(&answer, &room);
    assert_eq!(members(&told["timeline"]), [(&*bob.user_id, "leave")]);
    assert_eq!(
        events(&told["timeline"]).len() + events(&told["state"]).len(),
        1
    );
    // One who had left before is told of the ban alone.
    node.on(&alice, "ban", &room, &bob).await;
    let answer = client.next().await;
    assert_eq!(
        members(&left(&answer, &room)["timeline"]),
        [(&*bob.user_id, "ban")]
    );
}

async fn an_invitation_shows_what_the_invited_may_know(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let alias = format!("room-of-{}", alice.localpart());
    let body = json!({
        "preset": "private_chat",
        "name": "a name",
        "topic": "a topic",
        "room_alias_name": alias,
        "initial_state": [
            { "type": "m.room.avatar", "state_key": "", "content": { "url": "mxc://a/b" } },
            { "type": "m.room.encryption", "state_key": "",
              "content": { "algorithm": "m.megolm.v1.aes-sha2" } },
            { "type": "org.example.secret", "state_key": "", "content": { "body": "s" } },
        ],
    });
    let room = node.create(&alice, body).await;
    let mut client = node.client(&bob).ready().await;
    node.say(&alice, &room, "not for bob yet").await;
    node.on(&alice, "invite", &room, &bob).await;
    for mut reader in [client.clone(), node.client(&bob)] {
        let answer = reader.next().await;
        let told = &answer["rooms"]["invite"][&room]["invite_state"];
        assert_eq!(
            types(told),
            [
                "m.room.avatar",
                "m.room.canonical_alias",
                "m.room.create",
                "m.room.encryption",
                "m.room.join_rules",
                "m.room.member",
                "m.room.member",
                "m.room.name",
                "m.room.topic",
            ]
        );
        let mut wanted = [(&*alice.user_id, "join"), (&*bob.user_id, "invite")];
        wanted.sort_unstable();
        assert_eq!(members(told), wanted);
        for event in events(told) {
            let fields: Vec<_> = event.as_object().unwrap().keys().collect();
            assert_eq!(fields, ["content", "sender", "state_key", "type"]);
        }
        assert!(joined(&answer, &room).is_null());
    }
    client.next().await;
    node.say(&alice, &room, "still not").await;
    assert!(is_silent(&client.next().await));
    node.go(&bob, "join", &room).await;
    let answer = client.next().await;
    assert!(answer["rooms"].get("invite").is_none());
    let told = joined(&answer, &room);
    assert_eq!(
        members(&told["timeline"]).last(),
        Some(&(&*bob.user_id, "join"))
    );
}

async fn a_declined_invitation_is_told_as_left(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.create(&alice, json!({"preset": "private_chat"})).await;
    let mut client = node.client(&bob);
    for act in ["decline", "withdraw"] {
        node.on(&alice, "invite", &room, &bob).await;
        let answer = client.next().await;
        assert!(answer["rooms"]["invite"][&room].is_object());
        match act {
            "decline" => node.go(&bob, "leave", &room).await,
            _ => node.on(&alice, "kick", &room, &bob).await,
        }
        node.say(&alice, &room, "secret").await;
        let answer = client.next().await;
        let told = left(&answer, &room);
        assert_eq!(members(&told["timeline"]), [(&*bob.user_id, "leave")]);
        assert_eq!(events(&told["timeline"]).len(), 1);
        assert_eq!(events(&told["state"]).len(), 0);
        assert!(is_silent(&client.next().await));
    }
    let answer = node.client(&bob).filtered(&include_leave()).next().await;
    let told = left(&answer, &room);
    assert_eq!(
        events(&told["timeline"]).len() + events(&told["state"]).len(),
        1
    );
}

async fn an_invitation_after_leaving_opens_no_state(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    node.say(&alice, &room, "together").await;
    node.go(&bob, "leave", &room).await;
    let mut client = node.client(&bob).ready().await;
    node.set(
        &alice,
        &room,
        ("m.room.topic", ""),
        json!({"topic": "secret"}),
    )
    .await;
    node.say(&alice, &room, "secret").await;
    node.on(&alice, "invite", &room, &bob).await;
    node.go(&bob, "leave", &room).await;
    let answer = client.next().await;
    let told = left(&answer, &room);
    assert_eq!(members(&told["timeline"]), [(&*bob.user_id, "leave")]);
    assert_eq!(
        events(&told["timeline"]).len() + events(&told["state"]).len(),
        1
    );
    for limit in [0, 1, 50] {
        let filter = json!({"room": {"include_leave": true, "timeline": {"limit": limit}}});
        let answer = node.client(&bob).filtered(&filter).next().await;
        let told = left(&answer, &room);
        assert!(!told.to_string().contains("secret"), "{limit}: {told}");
        assert_eq!(told.to_string().contains("together"), limit > 1);
        assert!(told.to_string().contains("m.room.create"));
    }
}

async fn a_knock_is_told_until_it_is_answered(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let rules =
        json!({"type": "m.room.join_rules", "state_key": "", "content": {"join_rule": "knock"}});
    let body = json!({"preset": "private_chat", "name": "a name", "initial_state": [rules]});
    let room = node.create(&alice, body).await;
    let mut client = node.client(&bob).ready().await;
    let mut host = node.client(&alice).ready().await;
    node.go(&bob, "knock", &room).await;
    let answer = client.next().await;
    let told = &answer["rooms"]["knock"][&room]["knock_state"];
    assert!(types(told).contains(&"m.room.name") && types(told).contains(&"m.room.create"));
    assert!(members(told).contains(&(&*bob.user_id, "knock")));
    let answer = host.next().await;
    assert_eq!(
        members(&joined(&answer, &room)["timeline"]),
        [(&*bob.user_id, "knock")]
    );
    assert!(node.client(&bob).next().await["rooms"]["knock"][&room].is_object());
    node.on(&alice, "invite", &room, &bob).await;
    let answer = client.next().await;
    assert!(answer["rooms"]["invite"][&room].is_object());
    assert!(answer["rooms"].get("knock").is_none());
    node.on(&alice, "kick", &room, &bob).await;
    node.go(&bob, "knock", &room).await;
    client.next().await;
    node.go(&bob, "leave", &room).await;
    let answer = client.next().await;
    assert_eq!(
        members(&left(&answer, &room)["timeline"]),
        [(&*bob.user_id, "leave")]
    );
}

async fn a_forgotten_room_is_never_told_again(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    let mut client = node.client(&bob).ready().await;
    node.go(&bob, "leave", &room).await;
    node.go(&bob, "forget", &room).await;
    node.say(&alice, &room, "x").await;
    assert!(left(&client.next().await, &room).is_null());
    let answer = node.client(&bob).filtered(&include_leave()).next().await;
    assert!(left(&answer, &room).is_null());
    node.go(&bob, "join", &room).await;
    assert!(joined(&client.next().await, &room).is_object());
}

async fn a_room_entered_and_left_between_two_syncs_is_told_as_left(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&alice).await;
    let mut client = node.client(&bob).ready().await;
    node.go(&bob, "join", &room).await;
    node.say(&alice, &room, "hello").await;
    node.go(&bob, "leave", &room).await;
    node.say(&alice, &room, "after").await;
    let answer = client.next().await;
    let told = left(&answer, &room);
    assert_eq!(texts(&told["timeline"]), ["hello"]);
    assert!(told.to_string().contains("m.room.create"));
}

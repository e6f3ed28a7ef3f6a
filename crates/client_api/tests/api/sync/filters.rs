//! What a client does not want to hear, and members who are loaded lazily.

use serde_json::{Value, json};

use crate::{
    server::{Node, Server, User, on_both_engines},
    stage::{encoded, events, is_silent, joined, members, of_type, texts, types},
};

on_both_engines! {
    shared_postgres;
    rooms_are_chosen_and_left_out,
    timelines_are_filtered_by_type_sender_and_url,
    each_part_has_a_filter_of_its_own,
    a_filter_is_named_or_given,
    a_broken_filter_is_refused,
    members_are_loaded_when_they_speak,
    members_who_changed_in_a_gap_are_told,
    the_members_of_a_nameless_room_are_told_with_its_heroes,
}

fn of_timeline(filter: Value) -> Value {
    json!({ "room": { "timeline": filter } })
}

async fn told_rooms(node: &Node, user: &User, filter: Value) -> Vec<String> {
    let answer = node.client(user).filtered(&filter).next().await;
    let rooms = answer["rooms"]["join"].as_object();
    rooms.map_or_else(Vec::new, |rooms| rooms.keys().cloned().collect())
}

async fn rooms_are_chosen_and_left_out(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let one = node.public(&alice).await;
    let two = node.public(&alice).await;
    let told = async |filter| told_rooms(&node, &alice, filter).await;
    assert_eq!(told(json!({})).await.len(), 2);
    assert_eq!(
        told(json!({"room": {"rooms": [one]}})).await,
        [one.as_str()]
    );
    assert_eq!(told(json!({"room": {"rooms": []}})).await.len(), 0);
    assert_eq!(
        told(json!({"room": {"not_rooms": [one]}})).await,
        [two.as_str()]
    );
    let both = json!({"room": {"rooms": [one, two], "not_rooms": [two]}});
    assert_eq!(told(both).await, [one.as_str()]);
    let mut client = node.client(&alice);
    client = client
        .filtered(&json!({"room": {"not_rooms": [one]}}))
        .ready()
        .await;
    node.say(&alice, &one, "unheard").await;
    assert!(is_silent(&client.next().await));
    client.not_woken_by(node.say(&alice, &one, "unheard")).await;
}

async fn timelines_are_filtered_by_type_sender_and_url(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    let client = node.client(&alice).ready().await;
    node.say(&alice, &room, "from alice").await;
    node.say(&bob, &room, "from bob").await;
    node.send(&bob, &room, "org.example.a", json!({"body": "a"}))
        .await;
    node.send(&bob, &room, "org.example.b", json!({"body": "b"}))
        .await;
    let picture = json!({"msgtype": "m.image", "body": "picture", "url": "mxc://localhost/x"});
    node.send(&bob, &room, "m.room.message", picture).await;
    for (filter, wanted) in [
        (
            json!({"types": ["m.room.message"]}),
            &["from alice", "from bob", "picture"][..],
        ),
        (json!({"types": ["org.*"]}), &["a", "b"]),
        (json!({"types": ["org.*"], "not_types": ["*.a"]}), &["b"]),
        (json!({"types": []}), &[]),
        (json!({"not_types": ["*"]}), &[]),
        (json!({"senders": [alice.user_id]}), &["from alice"]),
        (json!({"not_senders": [bob.user_id]}), &["from alice"]),
        (json!({"contains_url": true}), &["picture"]),
        (
            json!({"contains_url": false, "types": ["m.*"]}),
            &["from alice", "from bob"],
        ),
        (json!({"not_rooms": [room]}), &[]),
        (json!({"types": ["org.*"], "limit": 1}), &["b"]),
    ] {
        let mut client = client.clone().filtered(&of_timeline(filter.clone()));
        let answer = client.next().await;
        let timeline = &joined(&answer, &room)["timeline"];
        assert_eq!(texts(timeline), wanted, "{filter}");
        let limited = filter.get("limit").is_some();
        if !wanted.is_empty() {
            assert_eq!(timeline["limited"], limited, "{filter}");
        }
        assert!(is_silent(&client.next().await), "{filter}");
    }
}

async fn each_part_has_a_filter_of_its_own(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    let client = node.client(&bob).ready().await;
    let event = node.say(&alice, &room, "x").await;
    node.read(&alice, &room, "m.read", &event, json!({})).await;
    node.keep(&bob, None, "x.a", json!({"a": 1})).await;
    node.keep(&bob, Some(&room), "x.b", json!({"a": 1})).await;
    let typing = format!("rooms/{room}/typing/{}", alice.user_id);
    node.call(
        &alice,
        "PUT",
        &typing,
        json!({"typing": true, "timeout": 9000}),
    )
    .await;
    let online = format!("presence/{}/status", alice.user_id);
    node.call(&alice, "PUT", &online, json!({"presence": "online"}))
        .await;
    let all = client.clone().next().await;
    assert!(!is_silent(&all));
    assert_eq!(
        types(&joined(&all, &room)["ephemeral"]),
        ["m.receipt", "m.typing"]
    );
    assert!(of_type(&all["presence"], "m.presence").is_some());
    let told = async |filter: Value| client.clone().filtered(&filter).next().await;
    let answer = told(json!({"room": {"ephemeral": {"types": ["m.typing"]}}})).await;
    assert_eq!(types(&joined(&answer, &room)["ephemeral"]), ["m.typing"]);
    let answer = told(json!({"room": {"ephemeral": {"not_types": ["m.*"]}}})).await;
    assert!(joined(&answer, &room).get("ephemeral").is_none());
    let answer = told(json!({"room": {"ephemeral": {"not_rooms": [room]}}})).await;
    assert!(joined(&answer, &room).get("ephemeral").is_none());
    let answer = told(json!({"account_data": {"not_types": ["x.a"]}})).await;
    assert!(answer.get("account_data").is_none());
    assert!(of_type(&joined(&answer, &room)["account_data"], "x.b").is_some());
    let answer = told(json!({"room": {"account_data": {"types": ["x.c"]}}})).await;
    assert!(joined(&answer, &room).get("account_data").is_none());
    let answer = told(json!({"presence": {"types": []}})).await;
    assert!(answer.get("presence").is_none());
    let answer = told(json!({"presence": {"not_senders": [alice.user_id]}})).await;
    assert!(answer.get("presence").is_none());
    let state = json!({"room": {"state": {"types": ["m.room.create"]}, "timeline": {"limit": 1}}});
    let answer = node.client(&bob).filtered(&state).next().await;
    assert_eq!(types(&joined(&answer, &room)["state"]), ["m.room.create"]);
}

async fn a_filter_is_named_or_given(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    node.say(&alice, &room, "x").await;
    let filter = json!({"room": {"timeline": {"types": ["m.room.message"]}}});
    let path = format!("user/{}/filter", alice.user_id);
    let made = node.call(&alice, "POST", &path, filter.clone()).await;
    let named = format!("filter={}", made["filter_id"].as_str().unwrap());
    for mut client in [
        node.client(&alice).with(&named),
        node.client(&alice).filtered(&filter),
    ] {
        let answer = client.next().await;
        assert_eq!(
            types(&joined(&answer, &room)["timeline"]),
            ["m.room.message"]
        );
    }
}

async fn a_broken_filter_is_refused(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let path = format!("user/{}/filter", bob.user_id);
    let made = node.call(&bob, "POST", &path, json!({})).await;
    let foreign = made["filter_id"].as_str().unwrap();
    let many = json!({"room": {"rooms": vec!["!a:b"; 1_001]}}).to_string();
    for filter in [
        "{",
        r#"{"room":7}"#,
        r#"{"room":{"timeline":{"limit":"x"}}}"#,
        r#"{"room":{"rooms":["not a room"]}}"#,
        "nowhere",
        foreign,
        &many,
    ] {
        let path = format!("/_matrix/client/v3/sync?filter={}", encoded(filter));
        let (status, errcode) = node.refused(&alice.token, "GET", &path, "").await;
        assert_eq!(status, 400, "{filter:.60}");
        assert!(errcode.starts_with("M_"), "{filter:.60}: {errcode}");
    }
}

fn lazily(limit: u32, redundant: bool) -> Value {
    json!({ "room": {
        "timeline": { "limit": limit },
        "state": { "lazy_load_members": true, "include_redundant_members": redundant },
    }})
}

async fn members_are_loaded_when_they_speak(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let carol = node.someone("carol").await;
    let named = json!({"preset": "public_chat", "name": "named"});
    let room = node.create(&alice, named).await;
    for person in [&bob, &carol] {
        node.go(person, "join", &room).await;
    }
    node.say(&bob, &room, "one").await;
    for redundant in [false, true] {
        let mut client = node.client(&alice).filtered(&lazily(1, redundant));
        let answer = client.next().await;
        let told = joined(&answer, &room);
        let mut wanted = [(&*alice.user_id, "join"), (&*bob.user_id, "join")];
        wanted.sort_unstable();
        assert_eq!(members(&told["state"]), wanted);
        assert!(types(&told["state"]).contains(&"m.room.create"));
        // Who speaks on a limited timeline is told, whatever was told before.
        for text in ["two", "three"] {
            node.say(&carol, &room, text).await;
        }
        let answer = client.next().await;
        let told = joined(&answer, &room);
        assert_eq!(told["timeline"]["limited"], true);
        assert_eq!(members(&told["state"]), [(&*carol.user_id, "join")]);
        node.say(&bob, &room, "four").await;
        let answer = client.next().await;
        let told = joined(&answer, &room);
        assert_eq!(members(&told["state"]), [(&*bob.user_id, "join")]);
    }
}

async fn members_who_changed_in_a_gap_are_told(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let carol = node.someone("carol").await;
    let named = json!({"preset": "public_chat", "name": "named"});
    let room = node.create(&alice, named).await;
    node.go(&bob, "join", &room).await;
    let mut client = node
        .client(&alice)
        .filtered(&lazily(1, false))
        .ready()
        .await;
    node.go(&bob, "leave", &room).await;
    node.go(&carol, "join", &room).await;
    node.say(&alice, &room, "one").await;
    node.say(&alice, &room, "two").await;
    let answer = client.next().await;
    let told = joined(&answer, &room);
    let told = members(&told["state"]);
    assert!(told.contains(&(&*bob.user_id, "leave")), "{told:?}");
    assert!(told.contains(&(&*carol.user_id, "join")), "{told:?}");
}

async fn the_members_of_a_nameless_room_are_told_with_its_heroes(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let mut people = Vec::new();
    for number in 0..7 {
        let person = node.someone(&format!("p{number}")).await;
        node.go(&person, "join", &room).await;
        people.push(person);
    }
    node.say(&alice, &room, "one").await;
    let mut client = node.client(&alice).filtered(&lazily(1, false));
    let answer = client.next().await;
    let told = joined(&answer, &room);
    let heroes = told["summary"]["m.heroes"].as_array().unwrap();
    assert_eq!(heroes.len(), 5);
    assert!(!heroes.contains(&json!(alice.user_id)));
    for hero in heroes {
        let hero = (hero.as_str().unwrap(), "join");
        assert!(members(&told["state"]).contains(&hero), "{hero:?}");
    }
    assert_eq!(members(&told["state"]).len(), 6);
    assert_eq!(told["summary"]["m.joined_member_count"], 8);
    assert_eq!(told["summary"]["m.invited_member_count"], 0);
    // Another hero comes with a member event.
    let gone = heroes[0].as_str().unwrap().to_owned();
    let gone = people.iter().find(|person| person.user_id == gone).unwrap();
    node.go(gone, "leave", &room).await;
    let answer = client.next().await;
    let told = joined(&answer, &room);
    assert_eq!(told["summary"]["m.joined_member_count"], 7);
    let heroes = told["summary"]["m.heroes"].as_array().unwrap();
    assert!(!heroes.contains(&json!(gone.user_id)));
    for hero in heroes {
        let hero = (hero.as_str().unwrap(), "join");
        assert!(members(&told["state"]).contains(&hero), "{hero:?}");
    }
    // Nothing of that changes with a message.
    node.say(&alice, &room, "two").await;
    assert!(joined(&client.next().await, &room).get("summary").is_none());
    let name = json!({"name": "a name"});
    node.set(&alice, &room, ("m.room.name", ""), name).await;
    let answer = client.next().await;
    assert!(joined(&answer, &room)["summary"].get("m.heroes").is_none());
    assert_eq!(events(&joined(&answer, &room)["timeline"]).len(), 1);
}

//! The state of the end of a timeline, for clients that take no state from the timeline itself.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    server::{Node, Server, User, on_both_engines},
    stage::{count, events, joined, left, members, types},
};

on_both_engines! {
    shared_postgres;
    a_client_that_reads_no_state_from_timelines_knows_the_room,
    a_room_without_news_of_its_state_says_so,
    the_state_of_the_end_is_told_by_the_name_that_was_asked_for,
    who_leaves_is_told_the_state_of_their_leaving,
    who_declines_is_told_that_they_did,
    members_are_loaded_with_what_the_timeline_shows,
}

const AFTER: &str = "use_state_after=true";

/// What a client knows of a room's state: by type and state key, the event.
#[derive(Default)]
struct Known(BTreeMap<(String, String), String>);

impl Known {
    fn learn<'a>(&mut self, told: impl IntoIterator<Item = &'a Value>) {
        for event in told {
            let text = |name: &str| event[name].as_str().unwrap().to_owned();
            self.0
                .insert((text("type"), text("state_key")), text("event_id"));
        }
    }

    /// The room's state as it is.
    async fn really(node: &Node, user: &User, room: &str) -> Self {
        let mut known = Self::default();
        let state = node.get(user, &format!("rooms/{room}/state")).await;
        known.learn(state.as_array().unwrap());
        known
    }
}

/// Changes something in a room: each time another thing.
async fn change(node: &Node, (alice, bob): (&User, &User), room: &str, turn: u64) {
    let name = json!({ "name": format!("name {turn}") });
    match turn % 6 {
        0 => drop(node.set(alice, room, ("m.room.name", ""), name).await),
        1 => drop(node.say(alice, room, "said").await),
        2 => node.go(bob, "leave", room).await,
        3 => node.go(bob, "join", room).await,
        4 => {
            let key = format!("k{}", turn / 12);
            let content = json!({ "turn": turn });
            node.set(alice, room, ("org.example.piece", &key), content)
                .await;
        }
        _ => {
            for text in ["one", "two", "three", "four"] {
                node.say(alice, room, text).await;
            }
        }
    }
}

async fn a_client_that_reads_no_state_from_timelines_knows_the_room(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    // With room for everything, for little, and for nothing in the timeline.
    for limit in [50, 2, 0] {
        let filter = json!({ "room": { "timeline": { "limit": limit } } });
        let client = node.client(&alice).filtered(&filter).with(AFTER);
        for pace in 1..4 {
            let mut client = client.clone();
            let mut known = Known::default();
            for turn in 0..18 {
                change(&node, (&alice, &bob), &room, turn).await;
                if turn % pace != 0 {
                    continue;
                }
                let answer = client.next().await;
                let told = joined(&answer, &room);
                assert!(told.get("state").is_none(), "{told}");
                known.learn(events(&told["state_after"]));
                let really = Known::really(&node, &alice, &room).await;
                assert_eq!(known.0, really.0, "limit {limit}, turn {turn}");
            }
            let answer = client.with("full_state=true").next().await;
            let mut anew = Known::default();
            anew.learn(events(&joined(&answer, &room)["state_after"]));
            assert_eq!(anew.0, Known::really(&node, &alice, &room).await.0);
        }
    }
}

async fn a_room_without_news_of_its_state_says_so(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let mut client = node.client(&alice).with(AFTER).ready().await;
    let said = node.say(&alice, &room, "said").await;
    let nothing = json!({ "events": [] });
    assert_eq!(joined(&client.next().await, &room)["state_after"], nothing);
    node.read(&alice, &room, "m.read.private", &said, json!({}))
        .await;
    assert_eq!(joined(&client.next().await, &room)["state_after"], nothing);
}

async fn the_state_of_the_end_is_told_by_the_name_that_was_asked_for(server: Server) {
    const EARLY: &str = "org.matrix.msc4222.use_state_after";
    const EARLY_TOLD: &str = "org.matrix.msc4222.state_after";
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    for (parameters, told_by) in [
        (AFTER.to_owned(), "state_after"),
        (format!("{EARLY}=true"), EARLY_TOLD),
        (format!("{EARLY}=true&{AFTER}"), "state_after"),
        (format!("{EARLY}=false"), "state"),
        ("use_state_after=false".to_owned(), "state"),
        ("full_state=false".to_owned(), "state"),
    ] {
        let answer = node.client(&alice).with(&parameters).next().await;
        let told = joined(&answer, &room);
        for name in ["state", "state_after", EARLY_TOLD] {
            assert_eq!(
                told.get(name).is_some(),
                name == told_by,
                "{parameters}: {name}"
            );
        }
    }
    let path = format!("/_matrix/client/v3/sync?{EARLY}=maybe");
    let refused = node.refused(&alice.token, "GET", &path, "").await;
    assert_eq!(refused, (400, "M_INVALID_PARAM".to_owned()));
    let versions = node
        .ok("", "GET", "/_matrix/client/versions", Value::Null)
        .await;
    assert_eq!(versions["unstable_features"]["org.matrix.msc4222"], true);
}

async fn who_leaves_is_told_the_state_of_their_leaving(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    let client = node.client(&bob).with(AFTER).ready().await;
    let topic = |text: &str| json!({ "topic": text });
    node.set(&alice, &room, ("m.room.topic", ""), topic("before"))
        .await;
    node.go(&bob, "leave", &room).await;
    node.set(&alice, &room, ("m.room.topic", ""), topic("after"))
        .await;
    let wanted = ["m.room.member", "m.room.topic"];
    let is_told = |answer: &Value| {
        let state = &left(answer, &room)["state_after"];
        assert_eq!(types(state), wanted);
        assert_eq!(members(state), [(&*bob.user_id, "leave")]);
        let topic = events(state)
            .iter()
            .find(|event| event["type"] == "m.room.topic");
        assert_eq!(topic.unwrap()["content"], json!({ "topic": "before" }));
    };
    is_told(&client.clone().next().await);
    // Banned later: the ban is told, and nothing else of what came after the leaving.
    node.on(&alice, "ban", &room, &bob).await;
    let answer = client.clone().next().await;
    let state = &left(&answer, &room)["state_after"];
    assert_eq!(types(state), wanted);
    assert_eq!(members(state), [(&*bob.user_id, "ban")]);
    let all = json!({ "room": { "include_leave": true } });
    let answer = node.client(&bob).filtered(&all).with(AFTER).next().await;
    let state = &left(&answer, &room)["state_after"];
    let topics = events(state)
        .iter()
        .filter(|event| event["type"] == "m.room.topic");
    let topics: Vec<_> = topics.map(|event| &event["content"]["topic"]).collect();
    assert_eq!(topics, ["before"]);
    assert!(members(state).contains(&(&*bob.user_id, "ban")));
}

async fn who_declines_is_told_that_they_did(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.create(&alice, json!({})).await;
    let mut client = node.client(&bob).with(AFTER).ready().await;
    node.on(&alice, "invite", &room, &bob).await;
    client.next().await;
    node.go(&bob, "leave", &room).await;
    let answer = client.next().await;
    let told = left(&answer, &room);
    assert_eq!(types(&told["state_after"]), ["m.room.member"]);
    assert_eq!(members(&told["state_after"]), [(&*bob.user_id, "leave")]);
    assert_eq!(members(&told["timeline"]), [(&*bob.user_id, "leave")]);
}

async fn members_are_loaded_with_what_the_timeline_shows(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let named = json!({ "preset": "public_chat", "name": format!("named {}", count()) });
    let room = node.create(&alice, named).await;
    let mut others = Vec::new();
    for name in ["bob", "carol", "dave"] {
        let other = node.someone(name).await;
        node.go(&other, "join", &room).await;
        others.push(other);
    }
    let [bob, carol, dave] = &others[..] else {
        unreachable!("three others")
    };
    node.say(bob, &room, "one").await;
    let lazily = json!({ "room": {
        "timeline": { "limit": 1 },
        "state": { "lazy_load_members": true },
    }});
    let mut client = node.client(&alice).filtered(&lazily).with(AFTER);
    let answer = client.next().await;
    let mut wanted = [(&*alice.user_id, "join"), (&*bob.user_id, "join")];
    wanted.sort_unstable();
    assert_eq!(members(&joined(&answer, &room)["state_after"]), wanted);
    // Who is sent away is shown in the timeline, by another: also to one who asks first now.
    node.on(&alice, "kick", &room, carol).await;
    let mut wanted = [(&*alice.user_id, "join"), (&*carol.user_id, "leave")];
    wanted.sort_unstable();
    for client in [
        &mut client,
        &mut node.client(&alice).filtered(&lazily).with(AFTER),
    ] {
        let answer = client.next().await;
        assert_eq!(members(&joined(&answer, &room)["state_after"]), wanted);
    }
    // What changed in a gap is told, whoever speaks.
    node.go(dave, "leave", &room).await;
    node.say(bob, &room, "two").await;
    let answer = client.next().await;
    let told = members(&joined(&answer, &room)["state_after"]).to_vec();
    assert!(told.contains(&(&*dave.user_id, "leave")), "{told:?}");
    assert!(told.contains(&(&*bob.user_id, "join")), "{told:?}");
}

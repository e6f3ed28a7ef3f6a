//! The event next to a moment.

use std::time::Duration;

use serde_json::{Value, json};

use crate::server::{Server, on_both_engines};

on_both_engines! {
    shared_postgres;
    the_closest_event_in_a_direction_is_given,
    what_one_may_not_see_is_passed_over,
    strangers_and_nonsense_are_refused,
}

const STEP_MS: u64 = 1_000;

async fn the_closest_event_in_a_direction_is_given(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let other = node.public(&alice).await;
    let mut said = Vec::new();
    for number in 0..9 {
        server
            .deployment
            .clock
            .advance(Duration::from_millis(STEP_MS));
        let first = node.say(&alice, &room, &number.to_string()).await;
        node.say(&alice, &other, "elsewhere").await;
        let last = node.say(&alice, &room, "at the same moment").await;
        let event = node.event(&alice, &room, &first).await;
        said.push((event["origin_server_ts"].as_u64().unwrap(), first, last));
    }
    let find = async |ts: u64, dir: &str| {
        let rest = format!("timestamp_to_event?ts={ts}&dir={dir}");
        node.of_room(&alice, &room, &rest).await
    };
    for (index, (ts, first, last)) in said.iter().enumerate() {
        let found = |ts: &u64, id: &String| json!({"event_id": id, "origin_server_ts": ts});
        assert_eq!(find(*ts, "f").await, found(ts, first));
        assert_eq!(find(*ts, "b").await, found(ts, last));
        assert_eq!(find(ts + STEP_MS - 1, "b").await, found(ts, last));
        if let Some((next, first, _)) = said.get(index + 1) {
            assert_eq!(find(ts + 1, "f").await, found(next, first));
        }
    }
    let all = node
        .get(&alice, &format!("rooms/{room}/messages?dir=f&limit=1"))
        .await;
    let create = &all["chunk"][0];
    assert_eq!(create["type"], "m.room.create");
    assert_eq!(find(0, "f").await["event_id"], create["event_id"]);
    let newest = said.last().unwrap();
    assert_eq!(
        find(u64::from(u32::MAX) << 20, "b").await["event_id"],
        newest.2.as_str()
    );
    let refused = async |ts: u64, dir: &str| {
        let rest = format!("timestamp_to_event?ts={ts}&dir={dir}");
        node.refused_of_room(&alice, &room, &rest).await
    };
    let none = (404, "M_NOT_FOUND".to_owned());
    assert_eq!(refused(newest.0 + 1, "f").await, none);
    assert_eq!(refused(1, "b").await, none);
}

async fn what_one_may_not_see_is_passed_over(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&alice).await;
    let joined = json!({"history_visibility": "joined"});
    node.set(&alice, &room, ("m.room.history_visibility", ""), joined)
        .await;
    let tick = || {
        server
            .deployment
            .clock
            .advance(Duration::from_millis(STEP_MS))
    };
    let moment = async |event: &str| {
        let event = node.event(&alice, &room, event).await;
        event["origin_server_ts"].as_u64().unwrap()
    };
    let mut hidden = Vec::new();
    for _ in 0..200 {
        tick();
        hidden.push(node.say(&alice, &room, "before bob").await);
    }
    tick();
    node.go(&bob, "join", &room).await;
    tick();
    let seen = node.say(&alice, &room, "seen").await;
    tick();
    node.go(&bob, "leave", &room).await;
    tick();
    let late = node.say(&alice, &room, "after bob").await;
    let find = async |ts: u64, dir: &str| {
        let rest = format!("timestamp_to_event?ts={ts}&dir={dir}");
        node.of_room(&bob, &room, &rest).await["event_id"].clone()
    };
    let kind = async |event: Value| {
        let event = node.event(&bob, &room, event.as_str().unwrap()).await;
        event["content"]["membership"].clone()
    };
    let at = moment(&hidden[50]).await;
    assert_eq!(kind(find(at, "f").await).await, "join");
    assert_eq!(find(moment(&seen).await, "f").await, seen.as_str());
    let at = moment(&late).await;
    assert_eq!(kind(find(at, "b").await).await, "leave");
    let rest = format!("timestamp_to_event?ts={at}&dir=f");
    let none = node.refused_of_room(&bob, &room, &rest).await;
    assert_eq!(none, (404, "M_NOT_FOUND".to_owned()));
}

async fn strangers_and_nonsense_are_refused(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let eve = node.someone("eve").await;
    let room = node.public(&alice).await;
    let forbidden = (403, "M_FORBIDDEN".to_owned());
    let rest = "timestamp_to_event?ts=5&dir=f";
    for room in [&*room, "!nowhere"] {
        assert_eq!(node.refused_of_room(&eve, room, rest).await, forbidden);
    }
    for parameters in ["ts=x&dir=f", "ts=-1&dir=f", "ts=5&dir=up"] {
        let rest = format!("timestamp_to_event?{parameters}");
        let refused = node.refused_of_room(&alice, &room, &rest).await;
        assert_eq!(refused, (400, "M_INVALID_PARAM".to_owned()), "{parameters}");
    }
    for parameters in ["dir=f", "ts=5"] {
        let rest = format!("timestamp_to_event?{parameters}");
        let refused = node.refused_of_room(&alice, &room, &rest).await;
        assert_eq!(refused, (400, "M_MISSING_PARAM".to_owned()), "{parameters}");
    }
}

//! What is told with a result: its surroundings, how people were called, the state, what to
//! highlight.

use serde_json::{Value, json};

use super::ids;
use crate::{
    server::{Server, on_both_engines},
    stage::encoded,
};

on_both_engines! {
    postgres;
    an_answer_has_the_form_that_clients_know,
    a_result_is_told_with_what_was_said_around_it,
    people_are_called_as_they_were_called_then,
    the_state_of_each_room_is_told,
    what_to_highlight_is_told_as_it_is_written,
}

async fn an_answer_has_the_form_that_clients_know(mut server: Server) {
    let node = server.searched().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let said = node.say(&alice, &room, "feldspar").await;
    node.settle(&alice, &room).await;
    let found = node
        .search(&alice, json!({ "search_term": "feldspar" }))
        .await;
    assert_eq!(found["count"], 1);
    assert_eq!(found["results"].as_array().unwrap().len(), 1);
    let result = &found["results"][0];
    assert!(result.get("context").is_none(), "nobody asked for it");
    let event = &result["result"];
    assert_eq!(event["event_id"], said.as_str());
    assert_eq!(event["room_id"], room.as_str());
    assert_eq!(event["content"]["body"], "feldspar");
    assert_eq!(event["unsigned"]["membership"], "join");
    let nothing = node
        .search(&alice, json!({ "search_term": "nothing" }))
        .await;
    let empty = json!({ "count": 0, "results": [], "highlights": ["nothing"] });
    assert_eq!(nothing, empty);
    // Nothing is searched for.
    let body = json!({ "search_categories": {} });
    let answer = node.call(&alice, "POST", "search", body).await;
    assert_eq!(answer, json!({ "search_categories": {} }));
}

async fn a_result_is_told_with_what_was_said_around_it(mut server: Server) {
    let node = server.searched().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let mut said = Vec::new();
    for number in 0..9 {
        let text = if number == 4 { "mica" } else { "x" };
        said.push(node.say(&alice, &room, text).await);
    }
    node.settle(&alice, &room).await;
    let context = async |asked: Value| {
        let criteria = json!({ "search_term": "mica", "event_context": asked });
        let found = node.search(&alice, criteria).await;
        assert_eq!(ids(&found), [&*said[4]]);
        found["results"][0]["context"].clone()
    };
    let around = |context: &Value| {
        ["events_before", "events_after"].map(|side| {
            let events = context[side].as_array().unwrap().iter();
            events
                .map(|event| event["event_id"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        })
    };
    let told = context(json!({ "before_limit": 2, "after_limit": 3 })).await;
    let before = vec![said[3].clone(), said[2].clone()];
    assert_eq!(around(&told), [before, said[5..8].to_vec()]);
    // The tokens lead on from there.
    let read = async |token: &Value, dir: &str| {
        let from = encoded(token.as_str().unwrap());
        let rest = format!("rooms/{room}/messages?dir={dir}&from={from}&limit=1");
        let page = node.get(&alice, &rest).await;
        page["chunk"][0]["event_id"].clone()
    };
    assert_eq!(read(&told["start"], "b").await, said[1].as_str());
    assert_eq!(read(&told["end"], "f").await, said[8].as_str());
    let told = context(json!({})).await;
    let [before, after] = around(&told);
    assert_eq!((before.len(), after.len()), (5, 5));
    let told = context(json!({ "before_limit": 0, "after_limit": 0 })).await;
    assert_eq!(around(&told), [Vec::<String>::new(), Vec::new()]);
    assert_eq!(read(&told["start"], "b").await, said[3].as_str());
    assert_eq!(read(&told["end"], "f").await, said[5].as_str());
    assert!(told.get("profile_info").is_none());
}

async fn people_are_called_as_they_were_called_then(mut server: Server) {
    let node = server.searched().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    let slot = ("m.room.member", &*bob.user_id);
    let called = |name: &str| {
        json!({
            "membership": "join", "displayname": name, "avatar_url": "mxc://localhost/bob",
        })
    };
    node.set(&bob, &room, slot, called("Robert")).await;
    node.say(&bob, &room, "talc").await;
    node.say(&alice, &room, "answer").await;
    node.set(&bob, &room, slot, called("Bob")).await;
    node.settle(&alice, &room).await;
    let criteria = json!({
        "search_term": "talc",
        "event_context": { "before_limit": 0, "after_limit": 1, "include_profile": true },
    });
    let found = node.search(&alice, criteria).await;
    let wanted = json!({
        &bob.user_id: { "displayname": "Robert", "avatar_url": "mxc://localhost/bob" },
        &alice.user_id: {},
    });
    assert_eq!(found["results"][0]["context"]["profile_info"], wanted);
}

async fn the_state_of_each_room_is_told(mut server: Server) {
    let node = server.searched().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    let (room, other) = (node.public(&alice).await, node.public(&alice).await);
    node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    node.say(&alice, &room, "shale").await;
    node.say(&alice, &other, "shale").await;
    node.settle(&alice, &room).await;
    node.go(&bob, "leave", &room).await;
    let topic = json!({ "topic": "later" });
    node.set(&alice, &room, ("m.room.topic", ""), topic).await;
    let criteria = json!({ "search_term": "shale", "include_state": true });
    let found = node.search(&alice, criteria.clone()).await;
    let state = found["state"].as_object().unwrap();
    let rooms: Vec<&String> = state.keys().collect();
    let mut wanted = vec![&room, &other];
    wanted.sort_unstable();
    assert_eq!(rooms, wanted);
    let topic = |state: &Value| {
        let mut events = state.as_array().unwrap().iter();
        events.any(|event| event["type"] == "m.room.topic")
    };
    assert!(topic(&state[&room]));
    // Who left is told the state of their leaving.
    let found = node.search(&bob, criteria).await;
    let state = &found["state"][&room];
    assert!(!topic(state));
    let mut events = state.as_array().unwrap().iter();
    let own = events
        .find(|event| event["state_key"] == *bob.user_id)
        .unwrap();
    assert_eq!(own["content"]["membership"], "leave");
    // Under lazy loading only who sent something is told.
    let criteria = json!({
        "search_term": "shale", "include_state": true,
        "filter": { "lazy_load_members": true, "rooms": [room] },
    });
    let found = node.search(&alice, criteria).await;
    let events = found["state"][&room].as_array().unwrap().iter();
    let members: Vec<&str> = events
        .filter(|event| event["type"] == "m.room.member")
        .map(|event| event["state_key"].as_str().unwrap())
        .collect();
    assert_eq!(members, [&*alice.user_id]);
    let found = node.search(&alice, json!({ "search_term": "shale" })).await;
    assert!(found.get("state").is_none());
}

async fn what_to_highlight_is_told_as_it_is_written(mut server: Server) {
    let node = server.searched().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    node.say(&alice, &room, "Die Straße, das Café und das 会议室")
        .await;
    node.settle(&alice, &room).await;
    let criteria = json!({ "search_term": "CAFE strasse 会议" });
    let found = node.search(&alice, criteria).await;
    assert_eq!(found["count"], 1);
    let wanted = json!(["cafe", "café", "strasse", "straße", "会议"]);
    assert_eq!(found["highlights"], wanted);
}

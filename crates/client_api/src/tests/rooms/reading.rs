//! Reading the timeline: pages both ways, around an event, and what stays unseen.

use serde_json::{Value, json};

use super::{Town, texts};

#[tokio::test]
async fn a_timeline_is_read_in_pages_both_ways() {
    let town = Town::new();
    let room = town.public().await;
    let said: Vec<_> = (0..7).map(|number| number.to_string()).collect();
    for text in &said {
        town.say("alice", &room, text).await;
    }
    for (dir, first) in [("b", ""), ("f", "")] {
        let filter = "%7B%22types%22%3A%5B%22m.room.message%22%5D%7D";
        let mut from = first.to_owned();
        let mut read = Vec::new();
        loop {
            let path = format!("rooms/{room}/messages?dir={dir}&limit=3&filter={filter}{from}");
            let page = town.get("alice", &path).await;
            assert!(page["start"].is_string());
            read.extend(texts(&page["chunk"]).into_iter().map(str::to_owned));
            match page["end"].as_str() {
                Some(end) => from = format!("&from={end}"),
                None => break,
            }
        }
        if dir == "b" {
            read.reverse();
        }
        assert_eq!(read, said, "{dir}");
    }
}

#[tokio::test]
async fn a_page_stops_where_it_is_told_and_brings_its_speakers() {
    let town = Town::new();
    let room = town.public().await;
    town.join("bob", &room).await;
    town.say("alice", &room, "1").await;
    let middle = town
        .get("alice", format!("rooms/{room}/messages?dir=b&limit=1"))
        .await;
    let middle = middle["start"].as_str().unwrap().to_owned();
    town.say("bob", &room, "2").await;
    town.say("bob", &room, "3").await;
    let lazy = "%7B%22lazy_load_members%22%3Atrue%7D";
    let path = format!("rooms/{room}/messages?dir=b&limit=100&to={middle}&filter={lazy}");
    let page = town.get("alice", &path).await;
    assert_eq!(texts(&page["chunk"]), ["3", "2"]);
    assert_eq!(page["end"], *middle);
    let speakers = page["state"].as_array().unwrap();
    assert_eq!(speakers.len(), 1);
    assert_eq!(speakers[0]["state_key"], "@bob:localhost");
}

#[tokio::test]
async fn an_event_is_shown_with_what_was_said_around_it() {
    let town = Town::new();
    let room = town.public().await;
    let mut said = Vec::new();
    for number in 0..7 {
        said.push(town.say("alice", &room, &number.to_string()).await);
    }
    let path = format!("rooms/{room}/context/{}", said[3]);
    let context = town.get("alice", format!("{path}?limit=4")).await;
    assert_eq!(context["event"]["content"]["body"], "3");
    assert_eq!(texts(&context["events_before"]), ["2", "1"]);
    assert_eq!(texts(&context["events_after"]), ["4", "5"]);
    assert!(
        context["state"]
            .as_array()
            .unwrap()
            .iter()
            .any(|event| event["type"] == "m.room.create")
    );
    let on = async |dir: &str, token: &Value| {
        let token = token.as_str().unwrap();
        let path = format!("rooms/{room}/messages?dir={dir}&limit=1&from={token}");
        texts(&town.get("alice", &path).await["chunk"]).join(" ")
    };
    assert_eq!(on("b", &context["start"]).await, "0");
    assert_eq!(on("f", &context["end"]).await, "6");
    let alone = town.get("alice", format!("{path}?limit=0")).await;
    assert_eq!(alone["event"]["content"]["body"], "3");
    assert_eq!(
        (&alone["events_before"], &alone["events_after"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(on("b", &alone["start"]).await, "2");
    assert_eq!(on("f", &alone["end"]).await, "4");
}

#[tokio::test]
async fn who_joins_later_sees_what_the_room_lets_them_see() {
    let town = Town::new();
    for (visibility, expected) in [
        ("shared", vec!["after", "before"]),
        ("world_readable", vec!["after", "before"]),
        ("invited", vec!["after"]),
        ("joined", vec!["after"]),
    ] {
        let state = json!([{
            "type": "m.room.history_visibility",
            "content": { "history_visibility": visibility },
        }]);
        let request = json!({ "preset": "public_chat", "initial_state": state });
        let room = town.room(request).await;
        let before = town.say("alice", &room, "before").await;
        let outside = town.ask(
            "bob",
            "GET",
            format!("rooms/{room}/event/{before}"),
            Value::Null,
        );
        let open = visibility == "world_readable";
        assert_eq!(outside.await.status == 200, open, "{visibility}");
        town.join("bob", &room).await;
        town.say("alice", &room, "after").await;
        let page = town
            .get("bob", format!("rooms/{room}/messages?dir=b&limit=50"))
            .await;
        assert_eq!(texts(&page["chunk"]), expected, "{visibility}");
        let event = town.ask(
            "bob",
            "GET",
            format!("rooms/{room}/event/{before}"),
            Value::Null,
        );
        assert_eq!(
            event.await.status == 200,
            expected.len() == 2,
            "{visibility}"
        );
        let context = town.ask(
            "bob",
            "GET",
            format!("rooms/{room}/context/{before}"),
            Value::Null,
        );
        assert_eq!(
            context.await.status == 200,
            expected.len() == 2,
            "{visibility}"
        );
    }
}

#[tokio::test]
async fn who_has_left_reads_up_to_their_leaving() {
    let town = Town::new();
    let room = town.public().await;
    town.join("bob", &room).await;
    town.say("alice", &room, "with").await;
    town.set("alice", &room, "m.room.topic", json!({ "topic": "with" }))
        .await;
    town.leave("bob", &room).await;
    town.say("alice", &room, "without").await;
    town.set(
        "alice",
        &room,
        "m.room.topic",
        json!({ "topic": "without" }),
    )
    .await;
    let page = town
        .get("bob", format!("rooms/{room}/messages?dir=b&limit=50"))
        .await;
    assert_eq!(texts(&page["chunk"]), ["with"]);
    assert_eq!(page["chunk"][0]["unsigned"]["membership"], "leave");
    let topic = town
        .get("bob", format!("rooms/{room}/state/m.room.topic"))
        .await;
    assert_eq!(topic["topic"], "with");
    let state = town.get("bob", format!("rooms/{room}/state")).await;
    assert!(!state.to_string().contains("without"));
}

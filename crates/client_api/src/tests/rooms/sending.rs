//! Sending messages and state, and taking them back.

use serde_json::{Value, json};

use super::Town;

#[tokio::test]
async fn a_retry_is_the_same_event_and_only_its_device_sees_the_echo() {
    let town = Town::new();
    let room = town.public().await;
    town.join("bob", &room).await;
    let first = town.say("alice", &room, "hello").await;
    assert_eq!(town.say("alice", &room, "hello").await, first);
    let event = async |who| town.get(who, format!("rooms/{room}/event/{first}")).await;
    let own = event("alice").await;
    assert_eq!(own["unsigned"]["transaction_id"], "hello");
    assert_eq!(own["unsigned"]["membership"], "join");
    assert!(own["unsigned"]["age"].is_i64());
    assert_eq!(
        (&own["room_id"], &own["sender"]),
        (&json!(room), &json!("@alice:localhost"))
    );
    for other in ["bob", "alice's laptop"] {
        assert_eq!(
            event(other).await["unsigned"]["transaction_id"],
            Value::Null,
            "{other}"
        );
    }
}

#[tokio::test]
async fn a_redacted_message_is_gone_and_says_why() {
    let town = Town::new();
    let room = town.public().await;
    town.join("bob", &room).await;
    let send = format!("rooms/{room}/send/m.room.message/1");
    let said = town
        .ok("bob", "PUT", send, json!({ "body": "secret" }))
        .await;
    let said = said["event_id"].as_str().unwrap();
    let redact = format!("rooms/{room}/redact/{said}/1");
    let reason = json!({ "reason": "spam" });
    let redaction = town.ok("alice", "PUT", &redact, reason.clone()).await;
    assert_eq!(town.ok("alice", "PUT", &redact, reason).await, redaction);
    let event = town.get("bob", format!("rooms/{room}/event/{said}")).await;
    assert_eq!(event["content"], json!({}));
    let because = &event["unsigned"]["redacted_because"];
    assert_eq!(because["event_id"], redaction["event_id"]);
    assert_eq!(
        (&because["content"]["reason"], &because["redacts"]),
        (&json!("spam"), &json!(said))
    );
    let page = town
        .get("bob", format!("rooms/{room}/messages?dir=b"))
        .await;
    assert!(!page.to_string().contains("secret"));
}

#[tokio::test]
async fn state_is_set_and_read_with_and_without_a_key() {
    let town = Town::new();
    let room = town.public().await;
    for (path, read) in [
        ("m.room.topic", "m.room.topic/"),
        ("m.room.topic/", "m.room.topic"),
    ] {
        let topic = json!({ "topic": path });
        town.set("alice", &room, path, topic.clone()).await;
        assert_eq!(
            town.get("alice", format!("rooms/{room}/state/{read}"))
                .await,
            topic
        );
    }
    let set = town
        .set("alice", &room, "org.example/a%2Fb", json!({ "n": 1 }))
        .await;
    assert_eq!(
        town.set("alice", &room, "org.example/a%2Fb", json!({ "n": 1 }))
            .await,
        set
    );
    let event = town
        .get(
            "alice",
            format!("rooms/{room}/state/org.example/a%2Fb?format=event"),
        )
        .await;
    assert_eq!(
        (&event["state_key"], &event["event_id"]),
        (&json!("a/b"), &json!(set))
    );
    assert_eq!(event["content"], json!({ "n": 1 }));
    let topic = town
        .get("alice", format!("rooms/{room}/messages?dir=b&limit=2"))
        .await;
    let topic = topic["chunk"].as_array().unwrap().iter();
    let topic = topic
        .filter(|event| event["type"] == "m.room.topic")
        .collect::<Vec<_>>();
    assert_eq!(
        topic[0]["unsigned"]["prev_content"],
        json!({ "topic": "m.room.topic" })
    );
    let all = town.get("alice", format!("rooms/{room}/state")).await;
    let all = all.as_array().unwrap();
    assert!(
        all.iter()
            .all(|event| event["state_key"].is_string() && event["room_id"] == *room)
    );
    assert!(all.iter().any(|event| event["event_id"] == *set));
    let nothing = town.refused(
        "alice",
        "GET",
        format!("rooms/{room}/state/m.room.avatar"),
        Value::Null,
    );
    assert_eq!(nothing.await, (404, "M_NOT_FOUND".into()));
}

#[tokio::test]
async fn nobody_vouches_for_themselves_in_a_restricted_room() {
    let town = Town::new();
    let team = town.public().await;
    let allow = json!([{ "type": "m.room_membership", "room_id": team }]);
    let rule = json!({ "join_rule": "restricted", "allow": allow });
    let rules = json!([{ "type": "m.room.join_rules", "content": rule }]);
    let room = town.room(json!({ "initial_state": rules })).await;
    let place = format!("rooms/{room}/state/m.room.member/@bob:localhost");
    let forged = json!({
        "membership": "join",
        "join_authorised_via_users_server": "@alice:localhost",
    });
    assert_eq!(
        town.refused("bob", "PUT", &place, forged).await,
        (403, "M_FORBIDDEN".into())
    );
    town.join("bob", &team).await;
    town.join("bob", &room).await;
}

#[tokio::test]
async fn what_is_wrong_with_an_event_is_told() {
    let town = Town::new();
    let room = town.public().await;
    let send = format!("rooms/{room}/send/m.room.message/1");
    let state = format!("rooms/{room}/state");
    let long = "x".repeat(300);
    let cases = [
        (send.clone(), json!({ "n": 1.5 }), 400, "M_BAD_JSON"),
        (
            send.clone(),
            json!({ "n": 9_007_199_254_740_992_i64 }),
            400,
            "M_BAD_JSON",
        ),
        (send.clone(), json!([]), 400, "M_BAD_JSON"),
        (
            send.clone(),
            json!({ "body": "x".repeat(70_000) }),
            413,
            "M_TOO_LARGE",
        ),
        (
            send.clone(),
            json!({ "body": "x".repeat(1_048_000) }),
            413,
            "M_TOO_LARGE",
        ),
        (
            format!("rooms/{room}/send/m.room.message/{long}"),
            json!({}),
            400,
            "M_INVALID_PARAM",
        ),
        (
            format!("rooms/{room}/send/{long}/1"),
            json!({}),
            400,
            "M_INVALID_PARAM",
        ),
        (
            format!("{state}/org.example/{long}"),
            json!({}),
            400,
            "M_INVALID_PARAM",
        ),
        (
            format!("{state}/org.example/%00"),
            json!({}),
            400,
            "M_INVALID_PARAM",
        ),
        (
            format!("{state}/m.room.create"),
            json!({}),
            403,
            "M_FORBIDDEN",
        ),
        (
            format!("{state}/m.room.power_levels"),
            json!({ "ban": "high" }),
            403,
            "M_FORBIDDEN",
        ),
        (
            format!("{state}/org.example/@bob:localhost"),
            json!({}),
            403,
            "M_FORBIDDEN",
        ),
        (
            format!("{state}/m.room.canonical_alias"),
            json!({ "alias": "#no:localhost" }),
            400,
            "M_BAD_ALIAS",
        ),
        (
            format!("{state}/m.room.member/@bob:localhost"),
            json!({ "membership": "odd" }),
            403,
            "M_FORBIDDEN",
        ),
        (
            format!("rooms/{room}/redact/$nowhere/1"),
            json!({}),
            404,
            "M_NOT_FOUND",
        ),
        (
            format!("rooms/{room}/redact/nowhere/1"),
            json!({}),
            400,
            "M_INVALID_PARAM",
        ),
    ];
    for (path, body, status, errcode) in cases {
        let shown = body.to_string().chars().take(60).collect::<String>();
        let refused = town.refused("alice", "PUT", &path, body).await;
        let path = path.chars().take(120).collect::<String>();
        assert_eq!(refused, (status, errcode.to_owned()), "{path} {shown}");
    }
}

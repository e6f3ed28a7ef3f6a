//! The first sync, the next ones, and waiting.

use std::{pin::pin, time::Duration};

use serde_json::{Value, json};
use testkit::eventually;
use tokio::time::timeout;

use crate::{
    server::{Server, on_both_engines, password_of},
    stage::{encoded, events, ids, is_silent, joined, of_type, texts, types},
};

on_both_engines! {
    shared_postgres;
    the_first_sync_gives_rooms_with_state_and_timeline,
    the_next_sync_gives_what_has_happened_since,
    nothing_new_is_told_as_nothing,
    a_sync_waits_for_whatever_concerns_its_user,
    a_sync_does_not_wait_for_what_concerns_others,
    a_room_that_is_joined_while_waiting_is_listened_to,
    time_that_is_up_ends_the_waiting,
    the_full_state_comes_when_asked_for_and_does_not_wait,
    what_is_no_token_is_refused,
    a_session_that_ends_ends_its_waiting,
}

async fn the_first_sync_gives_rooms_with_state_and_timeline(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let said = node.say(&alice, &room, "hello").await;
    let answer = node.client(&alice).next().await;
    let told = joined(&answer, &room);
    assert_eq!(ids(&told["timeline"]).last(), Some(&&*said));
    assert_eq!(told["timeline"]["limited"], false);
    assert!(told["timeline"]["prev_batch"].is_string());
    // The timeline goes back to the beginning, before which there is no state.
    assert_eq!(events(&told["state"]).len(), 0);
    assert_eq!(told["timeline"]["events"][0]["type"], "m.room.create");
    let message = events(&told["timeline"]).last().unwrap();
    assert_eq!(message["sender"], alice.user_id.as_str());
    assert_eq!(message["content"]["body"], "hello");
    assert!(message["origin_server_ts"].is_u64() && message.get("room_id").is_none());
    assert_eq!(told["summary"]["m.joined_member_count"], 1);
    assert_eq!(told["unread_notifications"]["notification_count"], 0);
    assert!(of_type(&answer["account_data"], "m.push_rules").is_some());
    assert_eq!(answer["device_one_time_keys_count"]["signed_curve25519"], 0);
    assert_eq!(answer["device_unused_fallback_key_types"], json!([]));
    for room in ["invite", "knock", "leave"] {
        assert!(answer["rooms"].get(room).is_none());
    }
}

async fn the_next_sync_gives_what_has_happened_since(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&alice).await;
    let quiet = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    let mut client = node.client(&bob).ready().await;
    node.say(&alice, &room, "one").await;
    node.set(&alice, &room, ("m.room.topic", ""), json!({"topic": "t"}))
        .await;
    node.say(&alice, &room, "two").await;
    node.say(&alice, &quiet, "elsewhere").await;
    let answer = client.next().await;
    assert_eq!(answer["rooms"]["join"].as_object().unwrap().len(), 1);
    let told = joined(&answer, &room);
    assert_eq!(
        types(&told["timeline"]),
        ["m.room.message", "m.room.message", "m.room.topic"]
    );
    assert_eq!(texts(&told["timeline"]), ["one", "two"]);
    assert_eq!(told["timeline"]["limited"], false);
    assert_eq!(events(&told["state"]).len(), 0);
    assert!(is_silent(&client.next().await));
}

async fn nothing_new_is_told_as_nothing(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    node.public(&alice).await;
    let mut client = node.client(&alice).ready().await;
    for _ in 0..2 {
        let mut answer = client.next().await;
        answer["next_batch"] = Value::Null;
        assert_eq!(
            answer,
            json!({
                "next_batch": null,
                "device_one_time_keys_count": { "signed_curve25519": 0 },
                "device_unused_fallback_key_types": [],
            })
        );
    }
}

async fn a_sync_waits_for_whatever_concerns_its_user(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&alice).await;
    let other = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    let mut client = node.client(&bob).ready().await;
    let answer = client.woken_by(node.say(&alice, &room, "hello")).await;
    assert_eq!(texts(&joined(&answer, &room)["timeline"]), ["hello"]);
    let answer = client
        .woken_by(node.on(&alice, "invite", &other, &bob))
        .await;
    assert!(answer["rooms"]["invite"][&other].is_object());
    let note = node.to_device(&alice, &bob, "PHONE", json!({"n": 1}));
    let answer = client.woken_by(note).await;
    assert_eq!(answer["to_device"]["events"][0]["content"]["n"], 1);
    let answer = client
        .woken_by(node.keep(&bob, None, "x.y", json!({"n": 2})))
        .await;
    assert_eq!(
        of_type(&answer["account_data"], "x.y").unwrap()["content"]["n"],
        2
    );
    let kept = node.keep(&bob, Some(&room), "x.y", json!({"n": 3}));
    let answer = client.woken_by(kept).await;
    let kept = &joined(&answer, &room)["account_data"];
    assert_eq!(of_type(kept, "x.y").unwrap()["content"]["n"], 3);
    let keys = super::devices::upload_keys(&node, &alice, "PHONE");
    let answer = client.woken_by(keys).await;
    assert_eq!(answer["device_lists"]["changed"], json!([alice.user_id]));
    let event = node.say(&bob, &room, "read me").await;
    client.next().await;
    let read = node.read(&alice, &room, "m.read", &event, json!({}));
    let answer = client.woken_by(read).await;
    assert!(of_type(&joined(&answer, &room)["ephemeral"], "m.receipt").is_some());
    let typing = format!("rooms/{room}/typing/{}", alice.user_id);
    let typing = node.call(
        &alice,
        "PUT",
        &typing,
        json!({"typing": true, "timeout": 9000}),
    );
    let answer = client.woken_by(typing).await;
    assert!(of_type(&joined(&answer, &room)["ephemeral"], "m.typing").is_some());
    let online = format!("presence/{}/status", alice.user_id);
    let online = node.call(&alice, "PUT", &online, json!({"presence": "unavailable"}));
    let answer = client.woken_by(online).await;
    assert_eq!(
        answer["presence"]["events"][0]["sender"],
        alice.user_id.as_str()
    );
    let answer = client.woken_by(node.on(&alice, "kick", &room, &bob)).await;
    assert!(answer["rooms"]["leave"][&room].is_object());
}

async fn a_sync_does_not_wait_for_what_concerns_others(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&alice).await;
    let mut client = node.client(&bob).ready().await;
    let other = node.on_device(&bob, "LAPTOP").await;
    client.next().await;
    let elsewhere = async {
        node.say(&alice, &room, "hello").await;
        node.to_device(&alice, &other, "LAPTOP", json!({})).await;
        super::devices::upload_keys(&node, &alice, "PHONE").await;
    };
    client.not_woken_by(elsewhere).await;
}

async fn a_room_that_is_joined_while_waiting_is_listened_to(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&alice).await;
    // The join is no news to a client that filters the room's events, but what follows is.
    let filter = json!({ "room": {
        "timeline": { "types": ["m.room.message"] },
        "state": { "types": [] },
        "account_data": { "types": [] },
        "ephemeral": { "types": [] },
    }});
    let mut client = node.client(&bob).filtered(&filter).ready().await;
    let answer = client.woken_by(node.go(&bob, "join", &room)).await;
    assert_eq!(texts(&joined(&answer, &room)["timeline"]).len(), 0);
    let answer = client.woken_by(node.say(&alice, &room, "now")).await;
    assert_eq!(texts(&joined(&answer, &room)["timeline"]), ["now"]);
}

async fn time_that_is_up_ends_the_waiting(server: Server) {
    let node = server.node().await;
    let clock = &server.deployment.clock;
    let alice = node.someone("alice").await;
    let mut client = node.client(&alice).ready().await;
    let before = client.since.clone();
    {
        let mut waiting = pin!(client.sync(Duration::from_secs(30)));
        let short = Duration::from_millis(60);
        assert!(timeout(short, &mut waiting).await.is_err());
        clock.advance(Duration::from_secs(29));
        assert!(timeout(short, &mut waiting).await.is_err());
        let answer = async {
            loop {
                clock.advance(Duration::from_secs(2));
                if let Ok(answer) = timeout(short, &mut waiting).await {
                    return answer;
                }
            }
        };
        let answer = timeout(Duration::from_secs(10), answer).await.unwrap();
        assert!(is_silent(&answer), "{answer}");
    }
    assert!(before.is_some());
    // However long a client wants to wait.
    let mut waiting = pin!(client.sync(Duration::from_secs(100_000)));
    let answer = async {
        loop {
            clock.advance(Duration::from_secs(121));
            if let Ok(answer) = timeout(Duration::from_millis(60), &mut waiting).await {
                return answer;
            }
        }
    };
    timeout(Duration::from_secs(10), answer).await.unwrap();
}

async fn the_full_state_comes_when_asked_for_and_does_not_wait(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    node.say(&alice, &room, "old").await;
    let client = node.client(&alice).ready().await;
    node.say(&alice, &room, "new").await;
    let mut full = client.with("full_state=true");
    let answer = full.sync(Duration::from_secs(60)).await;
    let told = joined(&answer, &room);
    assert_eq!(texts(&told["timeline"]), ["new"]);
    assert!(types(&told["state"]).contains(&"m.room.create"));
    assert!(of_type(&answer["account_data"], "m.push_rules").is_some());
    let again = full.sync(Duration::from_secs(60)).await;
    let told = joined(&again, &room);
    assert_eq!(events(&told["timeline"]).len(), 0);
    assert!(types(&told["state"]).contains(&"m.room.power_levels"));
}

async fn what_is_no_token_is_refused(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let long = "9".repeat(4_000);
    for since in [
        "",
        "s",
        "t5",
        "s72594_4483_1934",
        "s1_1_1_-5_0_0_0",
        "\u{1f600}",
        &long,
    ] {
        let path = format!("/_matrix/client/v3/sync?since={}", encoded(since));
        let refused = node.refused(&alice.token, "GET", &path, "").await;
        assert_eq!(refused, (400, "M_INVALID_PARAM".to_owned()), "{since}");
    }
    for query in ["timeout=soon", "timeout=-1", "full_state=7", "since=%FF"] {
        let path = format!("/_matrix/client/v3/sync?{query}");
        let refused = node.refused(&alice.token, "GET", &path, "").await;
        assert_eq!(refused.0, 400, "{query}");
    }
    // A token from the future is as good as one of now.
    let future = format!("s1_1_1_{}_{}_0_0", i64::MAX, i64::MAX);
    let path = format!("/_matrix/client/v3/sync?since={future}&set_presence=offline");
    node.ok(&alice.token, "GET", &path, Value::Null).await;
}

async fn a_session_that_ends_ends_its_waiting(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let laptop = node.on_device(&alice, "LAPTOP").await;
    let tablet = node.on_device(&alice, "TABLET").await;
    let removal = json!({ "auth": password_of(alice.localpart()) });
    for (device, end) in [
        (&laptop, ("POST", "logout", json!({}))),
        (&tablet, ("DELETE", "devices/TABLET", removal.clone())),
        (&alice, ("POST", "account/deactivate", removal)),
    ] {
        let client = node.client(device).ready().await;
        let path = client.path(Duration::from_secs(60));
        let by = if end.1 == "logout" { device } else { &alice };
        let mut waiting = pin!(node.refused(&device.token, "GET", &path, ""));
        let early = timeout(Duration::from_millis(60), &mut waiting).await;
        assert!(early.is_err());
        let (method, rest, body) = end;
        let both = async { tokio::join!(waiting, node.call(by, method, rest, body)).0 };
        let refused = timeout(Duration::from_secs(10), both).await.unwrap();
        assert_eq!(refused, (401, "M_UNKNOWN_TOKEN".to_owned()), "{rest}");
    }
    eventually("nobody waits any more", || async {
        (!node.knows(&alice.token).await).then_some(())
    })
    .await;
}

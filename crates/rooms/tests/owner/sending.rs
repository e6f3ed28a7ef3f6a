//! Sending messages and state: retries, repetitions, bounds.

use rooms::{EventOrigin, RoomsRefusal};
use ruma::owned_room_id;
use serde_json::json;

use crate::harness::{Bench, alice, assert_forbidden, bob, conformance, content, refusal, txn};

conformance! {
    async fn a_retried_transaction_makes_no_second_event(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        let first = node.say_as(&room, alice(), "hello", txn("PHONE", "1")).await.unwrap();
        let once = node.head().await;
        let again = node.say_as(&room, alice(), "hello", txn("PHONE", "1")).await.unwrap();
        assert_eq!(again, first);
        assert_eq!(node.head().await, once);
        let origin = node.event(&room, &first).await.origin.unwrap();
        let (device_id, txn_id) = ("PHONE".to_owned(), "1".to_owned());
        assert_eq!(origin, EventOrigin::Request { device_id, txn_id });
    }

    async fn a_transaction_sent_many_times_at_once_makes_one_event(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        let before = node.timeline(&room).await.len();
        let sends = (0..16).map(|_| node.say_as(&room, alice(), "hello", txn("PHONE", "1")));
        let sent = futures_util::future::try_join_all(sends).await.unwrap();
        assert!(sent.iter().all(|event_id| *event_id == sent[0]));
        assert_eq!(node.timeline(&room).await.len(), before + 1);
    }

    async fn transactions_of_other_devices_rooms_users_and_endpoints_are_others(bench) {
        let node = bench.node().await;
        let (room, other) = (node.public().await, node.public().await);
        node.join(&room, bob()).await.unwrap();
        let first = node.say_as(&room, alice(), "x", txn("PHONE", "1")).await.unwrap();
        let kind = "m.sticker".into();
        let sticker = node.rooms.send(&node.log, &room, alice(), kind, content(json!({})), rooms::SendRequest { transaction: txn("PHONE", "1"), at: None });
        let mut made = vec![
            sticker.await.unwrap(),
            node.say_as(&room, alice(), "x", txn("LAPTOP", "1")).await.unwrap(),
            node.say_as(&other, alice(), "x", txn("PHONE", "1")).await.unwrap(),
            node.say_as(&room, bob(), "x", txn("PHONE", "1")).await.unwrap(),
        ];
        for target in made.clone().into_iter().take(2).chain([first.clone()]) {
            let redaction = node.rooms.redact(&node.log, &room, alice(), &target, None, txn("PHONE", "1"));
            made.push(redaction.await.unwrap());
        }
        made.push(first);
        made.sort();
        made.dedup();
        assert_eq!(made.len(), 8);
    }

    async fn a_refused_transaction_may_be_tried_again(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        assert_forbidden(node.say_as(&room, bob(), "x", txn("PHONE", "1")).await);
        node.join(&room, bob()).await.unwrap();
        node.say_as(&room, bob(), "x", txn("PHONE", "1")).await.unwrap();
    }

    async fn state_set_twice_is_set_once(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        let topic = json!({ "topic": "lunch" });
        let first = node.set(&room, alice(), "m.room.topic", "", topic.clone()).await.unwrap();
        let once = node.head().await;
        let again = node.set(&room, alice(), "m.room.topic", "", topic).await.unwrap();
        assert_eq!((again, node.head().await), (first.clone(), once));
        let other = node.set(&room, alice(), "m.room.topic", "", json!({ "topic": "tea" })).await;
        assert_ne!(other.unwrap(), first);
    }

    async fn who_has_gone_does_not_learn_whether_their_state_still_stands(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        let levels = json!({ "state_default": 0, "events": {} });
        node.set(&room, alice(), "m.room.power_levels", "", levels).await.unwrap();
        node.join(&room, bob()).await.unwrap();
        let topic = json!({ "topic": "lunch" });
        node.set(&room, bob(), "m.room.topic", "", topic.clone()).await.unwrap();
        node.leave(&room, bob()).await.unwrap();
        assert_forbidden(node.set(&room, bob(), "m.room.topic", "", topic).await);
    }

    async fn only_members_with_the_power_send(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        assert_forbidden(node.say(&room, bob(), "x").await);
        node.join(&room, bob()).await.unwrap();
        node.say(&room, bob(), "x").await.unwrap();
        let topic = json!({ "topic": "mine" });
        assert_forbidden(node.set(&room, bob(), "m.room.topic", "", topic).await);
        node.change(&room, alice(), bob(), rooms::MemberChange::Ban).await.unwrap();
        assert_forbidden(node.say(&room, bob(), "x").await);
    }

    async fn rooms_that_are_not_there_are_not_made_by_naming_them(bench) {
        let node = bench.node().await;
        let nowhere = owned_room_id!("!nowhere:localhost");
        let outcome = node.say(&nowhere, alice(), "x").await;
        assert!(matches!(refusal(outcome), RoomsRefusal::NoSuchRoom(_)));
        assert_eq!(node.count("SELECT id FROM room_names").await.unwrap(), 0);
    }

    async fn what_is_too_large_or_cannot_be_stored_is_refused(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        let before = node.head().await;
        for size in [65_000, 70_000, 3_000_000] {
            let outcome = node.say(&room, alice(), &"x".repeat(size)).await;
            assert!(matches!(refusal(outcome), RoomsRefusal::TooLarge), "{size}");
        }
        let long = "x".repeat(256);
        for (kind, key) in [(long.as_str(), ""), ("org.example", long.as_str()), ("a\0b", ""), ("a", "\0")] {
            let outcome = node.set(&room, alice(), kind, key, json!({})).await;
            assert!(matches!(refusal(outcome), RoomsRefusal::Invalid(_)), "{kind:?} {key:?}");
        }
        assert_eq!(node.head().await, before);
        node.say(&room, alice(), &"x".repeat(64_000)).await.unwrap();
    }

    async fn one_who_sends_badly_does_not_stop_others_in_the_same_batch(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        let sends = (0..32).map(|number| {
            let (node, room) = (&node, &room);
            async move {
                let sender = if number % 2 == 0 { alice() } else { bob() };
                node.say(room, sender, &number.to_string()).await.is_ok()
            }
        });
        let sent = futures_util::future::join_all(sends).await;
        assert!(sent.iter().enumerate().all(|(number, sent)| *sent == (number % 2 == 0)));
    }
}

//! What becomes of an event that waits.

use super::*;
use crate::harness::{Bench, alice, bob, conformance, refusal};

conformance! {
    async fn an_event_is_sent_when_its_time_has_come_and_once(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        let delay_id = node.schedule(later(&room, alice(), "boo", 5 * SECOND)).await.unwrap();
        bench.clock.advance(5 * SECOND - Duration::from_millis(1));
        node.send_due().await;
        assert_eq!(node.said(&room).await, [""; 0]);
        assert_eq!(node.fate(alice(), &delay_id).await, None);
        bench.clock.advance(Duration::from_millis(1));
        node.send_due().await;
        node.send_due().await;
        assert_eq!(node.said(&room).await, ["boo"]);
        let sent = node.last(&room).await;
        assert_eq!(sent.origin, Some(EventOrigin::Delayed { delay_id: delay_id.clone() }));
        let told = node.delayed(alice(), &delay_id).await;
        assert_eq!(told.delay_id, delay_id);
        let (at, fate) = told.finalised.unwrap();
        assert_eq!(fate, DelayedFate::Sent(sent.pdu.event_id().to_owned()));
        assert_eq!(at, sent.pdu.origin_server_ts());
        assert!(node.rooms.scheduled_events(node.user_number(alice()).await).await.unwrap().is_empty());
    }

    async fn events_are_sent_in_the_order_in_which_they_are_due(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        for (text, seconds) in [("third", 9), ("first", 2), ("second", 5)] {
            node.schedule(later(&room, alice(), text, seconds * SECOND)).await.unwrap();
        }
        let scheduled = node.rooms.scheduled_events(node.user_number(alice()).await).await.unwrap();
        let delays: Vec<_> = scheduled.iter().map(|event| event.delay.as_secs()).collect();
        assert_eq!(delays, [2, 5, 9]);
        bench.clock.advance(10 * SECOND);
        node.send_due().await;
        assert_eq!(node.said(&room).await, ["first", "second", "third"]);
    }

    async fn more_events_than_a_page_are_sent_at_once(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        node.join(&room, bob()).await.unwrap();
        for number in 0..80 {
            for sender in [alice(), bob()] {
                let text = format!("{number} {sender}");
                node.schedule(later(&room, sender, &text, SECOND)).await.unwrap();
            }
        }
        bench.clock.advance(SECOND);
        node.send_due().await;
        assert_eq!(node.said(&room).await.len(), 160);
    }

    async fn a_restart_postpones(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        let delay_id = node.schedule(later(&room, alice(), "boo", 5 * SECOND)).await.unwrap();
        for _ in 0..4 {
            bench.clock.advance(4 * SECOND);
            node.send_due().await;
            node.rooms.restart_delayed(&node.log, &delay_id).await.unwrap();
        }
        let told = node.delayed(alice(), &delay_id).await;
        assert_eq!(told.running_since, model::time::Clock::now(&bench.clock));
        assert_eq!(node.said(&room).await, [""; 0]);
        bench.clock.advance(5 * SECOND);
        node.send_due().await;
        assert_eq!(node.said(&room).await, ["boo"]);
        // Nothing is left to restart, and who asks schedules anew.
        let again = node.rooms.restart_delayed(&node.log, &delay_id).await;
        assert!(matches!(refusal(again), RoomsRefusal::NoSuchDelayedEvent));
    }

    async fn what_is_cancelled_is_never_sent(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        let delay_id = node.schedule(later(&room, alice(), "boo", 5 * SECOND)).await.unwrap();
        node.rooms.cancel_delayed(&node.log, &delay_id).await.unwrap();
        let head = node.head().await;
        node.rooms.cancel_delayed(&node.log, &delay_id).await.unwrap();
        assert_eq!(node.head().await, head);
        bench.clock.advance(10 * SECOND);
        node.send_due().await;
        assert_eq!(node.said(&room).await, [""; 0]);
        assert_eq!(node.fate(alice(), &delay_id).await, Some(DelayedFate::Cancelled));
        let restart = node.rooms.restart_delayed(&node.log, &delay_id).await;
        assert!(matches!(refusal(restart), RoomsRefusal::DelayedDecided("cancelled")));
        let send = node.rooms.send_delayed_now(&node.log, &delay_id).await;
        assert!(matches!(refusal(send), RoomsRefusal::DelayedDecided("cancelled")));
    }

    async fn what_is_sent_early_is_not_sent_again(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        let delay_id = node.schedule(later(&room, alice(), "boo", 5 * SECOND)).await.unwrap();
        node.rooms.send_delayed_now(&node.log, &delay_id).await.unwrap();
        assert_eq!(node.said(&room).await, ["boo"]);
        node.rooms.send_delayed_now(&node.log, &delay_id).await.unwrap();
        bench.clock.advance(10 * SECOND);
        node.send_due().await;
        assert_eq!(node.said(&room).await, ["boo"]);
        let cancel = node.rooms.cancel_delayed(&node.log, &delay_id).await;
        assert!(matches!(refusal(cancel), RoomsRefusal::DelayedDecided("sent")));
    }

    async fn who_has_lost_the_power_by_then_is_told_so_and_not_tried_again(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        node.join(&room, bob()).await.unwrap();
        let powers = |bob_has: i64| json!({
            "users": { bob(): bob_has }, "events": { "m.room.topic": 50 },
        });
        node.set(&room, alice(), "m.room.power_levels", "", powers(50)).await.unwrap();
        let delay_id = node.schedule(topic_later(&room, bob(), "mine")).await.unwrap();
        node.set(&room, alice(), "m.room.power_levels", "", powers(0)).await.unwrap();
        let early = node.rooms.send_delayed_now(&node.log, &delay_id).await;
        assert!(matches!(refusal(early), RoomsRefusal::Forbidden(_)));
        assert_eq!(node.fate(bob(), &delay_id).await, None);
        bench.clock.advance(SECOND);
        node.send_due().await;
        let Some(DelayedFate::Failed(failure)) = node.fate(bob(), &delay_id).await else {
            panic!("it did not fail");
        };
        assert_eq!(failure.kind, DelayedFailureKind::Forbidden);
        assert!(!failure.sentence.is_empty());
        node.set(&room, alice(), "m.room.power_levels", "", powers(50)).await.unwrap();
        node.send_due().await;
        assert_eq!(node.state(&room, "m.room.topic", "").await, Value::Null);
        // Cancelling what has failed is done already, sending it is not possible any more.
        node.rooms.cancel_delayed(&node.log, &delay_id).await.unwrap();
        let send = node.rooms.send_delayed_now(&node.log, &delay_id).await;
        assert!(matches!(refusal(send), RoomsRefusal::DelayedDecided("failed")));
    }

    async fn who_gains_the_power_by_then_sends(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        node.join(&room, bob()).await.unwrap();
        node.schedule(topic_later(&room, bob(), "mine")).await.unwrap();
        let powers = json!({ "users": { bob(): 50 } });
        node.set(&room, alice(), "m.room.power_levels", "", powers).await.unwrap();
        bench.clock.advance(SECOND);
        node.send_due().await;
        assert_eq!(node.state(&room, "m.room.topic", "").await["topic"], "mine");
    }

    async fn who_has_left_by_then_says_nothing(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        node.join(&room, bob()).await.unwrap();
        let delay_id = node.schedule(later(&room, bob(), "boo", SECOND)).await.unwrap();
        node.leave(&room, bob()).await.unwrap();
        bench.clock.advance(SECOND);
        node.send_due().await;
        assert_eq!(node.said(&room).await, [""; 0]);
        assert!(matches!(node.fate(bob(), &delay_id).await, Some(DelayedFate::Failed(_))));
    }

    /// State that its sender, or another, sets meanwhile does not cancel what waits.
    async fn state_that_is_set_meanwhile_is_set_again(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        let delay_id = node.schedule(topic_later(&room, alice(), "later")).await.unwrap();
        node.set(&room, alice(), "m.room.topic", "", json!({ "topic": "now" })).await.unwrap();
        bench.clock.advance(SECOND);
        node.send_due().await;
        assert_eq!(node.state(&room, "m.room.topic", "").await["topic"], "later");
        // What stands already is sent by standing.
        let standing = node.fate(alice(), &delay_id).await;
        let again = node.schedule(topic_later(&room, alice(), "later")).await.unwrap();
        bench.clock.advance(SECOND);
        node.send_due().await;
        assert_eq!(node.fate(alice(), &again).await, standing);
    }

    async fn a_message_takes_itself_back(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        let said = node.say(&room, alice(), "for your eyes").await.unwrap();
        let redaction = DelayedDraft {
            kind: "m.room.redaction".into(),
            content: content(json!({ "redacts": said })),
            ..later(&room, alice(), "", SECOND)
        };
        node.schedule(redaction).await.unwrap();
        bench.clock.advance(SECOND);
        node.send_due().await;
        assert!(node.event(&room, &said).await.redacted_by.is_some());
    }

    async fn nothing_waits_of_who_has_closed_their_account(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        node.join(&room, bob()).await.unwrap();
        node.schedule(later(&room, alice(), "alice", SECOND)).await.unwrap();
        let cancelled = node.schedule(later(&room, bob(), "bob", SECOND)).await.unwrap();
        node.rooms.cancel_delayed(&node.log, &cancelled).await.unwrap();
        node.schedule(later(&room, bob(), "bob", SECOND)).await.unwrap();
        let mut intent = store::Intent::new();
        node.rooms.add_drop_delayed(&mut intent, bob());
        node.log.commit(intent).await.map(drop).unwrap();
        assert_eq!(node.count("SELECT hash FROM delayed_events").await.unwrap(), 1);
        bench.clock.advance(SECOND);
        node.send_due().await;
        assert_eq!(node.said(&room).await, ["alice"]);
    }
}

//! What may wait, how much of it, and for how long it is remembered.

use rooms::{EncryptionPolicy, MAX_DELAY, MAX_SCHEDULED};

use super::*;
use crate::harness::{Bench, alice, assert_forbidden, bob, conformance, refusal};

fn under(draft: DelayedDraft, txn_id: &str) -> DelayedDraft {
    let transaction = Some(Transaction {
        device_id: "PHONE".to_owned(),
        txn_id: txn_id.to_owned(),
    });
    DelayedDraft {
        transaction,
        ..draft
    }
}

conformance! {
    async fn a_retry_schedules_nothing_more(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        let draft = |txn_id| under(later(&room, alice(), "boo", SECOND), txn_id);
        let first = node.schedule(draft("1")).await.unwrap();
        let head = node.head().await;
        assert_eq!(node.schedule(draft("1")).await.unwrap(), first);
        assert_eq!(node.head().await, head);
        let other = node.schedule(draft("2")).await.unwrap();
        assert_ne!(other, first);
        bench.clock.advance(SECOND);
        node.send_due().await;
        // Also once it was sent.
        assert_eq!(node.schedule(draft("1")).await.unwrap(), first);
        let many = (0..8).map(|_| node.schedule(draft("3")));
        let many = futures_util::future::try_join_all(many).await.unwrap();
        assert!(many.iter().all(|delay_id| *delay_id == many[0]));
        bench.clock.advance(SECOND);
        node.send_due().await;
        assert_eq!(node.said(&room).await, ["boo"; 3]);
    }

    async fn an_event_waits_for_a_moment_to_a_day(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        let draft = |delay| later(&room, alice(), "boo", delay);
        let none = node.schedule(draft(Duration::ZERO)).await;
        assert!(matches!(refusal(none), RoomsRefusal::Invalid(_)));
        let long = node.schedule(draft(MAX_DELAY + Duration::from_millis(1))).await;
        assert!(matches!(refusal(long), RoomsRefusal::DelayTooLong));
        node.schedule(draft(Duration::from_millis(1))).await.unwrap();
        node.schedule(draft(MAX_DELAY)).await.unwrap();
    }

    async fn nobody_has_more_than_so_many_waiting(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        node.join(&room, bob()).await.unwrap();
        let first = node.schedule(later(&room, alice(), "0", 30 * SECOND)).await.unwrap();
        for _ in 1..MAX_SCHEDULED {
            node.schedule(later(&room, alice(), "x", 60 * SECOND)).await.unwrap();
        }
        bench.clock.advance(10 * SECOND);
        let more = node.schedule(later(&room, alice(), "x", 60 * SECOND)).await;
        let RoomsRefusal::TooManyScheduled { retry_after } = refusal(more) else {
            panic!("it is not told how many");
        };
        assert_eq!(retry_after, 20 * SECOND);
        node.schedule(later(&room, bob(), "x", 60 * SECOND)).await.unwrap();
        node.rooms.cancel_delayed(&node.log, &first).await.unwrap();
        // Also at once: the last place is given once.
        let draft = || node.schedule(later(&room, alice(), "x", 60 * SECOND));
        let (one, two) = tokio::join!(draft(), draft());
        assert!(one.is_ok() != two.is_ok());
    }

    async fn who_is_not_in_the_room_schedules_nothing_there(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        assert_forbidden(node.schedule(later(&room, bob(), "boo", SECOND)).await);
        let nowhere = ruma::room_id!("!nowhere:localhost");
        let outcome = node.schedule(later(nowhere, bob(), "boo", SECOND)).await;
        assert!(matches!(refusal(outcome), RoomsRefusal::NoSuchRoom(_)));
        assert_eq!(node.count("SELECT hash FROM delayed_events").await.unwrap(), 0);
    }

    async fn what_can_never_be_sent_is_refused_at_once(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        let long = "x".repeat(256);
        let message = || later(&room, alice(), "boo", SECOND);
        for draft in [
            DelayedDraft { kind: "".into(), ..message() },
            DelayedDraft { kind: long.as_str().into(), ..message() },
            DelayedDraft { state_key: Some(long.clone()), ..message() },
        ] {
            assert!(matches!(refusal(node.schedule(draft).await), RoomsRefusal::Invalid(_)));
        }
        let large = later(&room, alice(), &"x".repeat(70_000), SECOND);
        assert!(matches!(refusal(node.schedule(large).await), RoomsRefusal::TooLarge));
    }

    async fn what_is_readable_does_not_wait_where_all_is_encrypted(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        let delay_id = node.schedule(later(&room, alice(), "boo", SECOND)).await.unwrap();
        node.log.stop().await;
        let node = bench.node_with(EncryptionPolicy::Required, 2).await;
        let outcome = node.schedule(later(&room, alice(), "boo", SECOND)).await;
        assert!(matches!(refusal(outcome), RoomsRefusal::EncryptionRequired(_)));
        bench.clock.advance(SECOND);
        node.send_due().await;
        assert_eq!(node.said(&room).await, [""; 0]);
        assert!(matches!(node.fate(alice(), &delay_id).await, Some(DelayedFate::Failed(_))));
    }

    async fn fates_are_remembered_for_a_week_and_the_newest_hundred(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        for _ in 0..MAX_SCHEDULED + 5 {
            let delay_id = node.schedule(later(&room, alice(), "boo", SECOND)).await.unwrap();
            node.rooms.cancel_delayed(&node.log, &delay_id).await.unwrap();
        }
        let waiting = node.schedule(later(&room, alice(), "boo", MAX_DELAY)).await.unwrap();
        let rows = async || node.count("SELECT hash FROM delayed_events").await.unwrap();
        assert_eq!(rows().await, 101);
        bench.clock.advance(6 * MAX_DELAY);
        assert!(!node.rooms.forget_delayed(&node.log).await.unwrap());
        bench.clock.advance(2 * MAX_DELAY);
        assert!(node.rooms.forget_delayed(&node.log).await.unwrap());
        assert!(!node.rooms.forget_delayed(&node.log).await.unwrap());
        assert_eq!(rows().await, 1);
        assert_eq!(node.fate(alice(), &waiting).await, None);
    }

    async fn a_delay_id_is_of_its_sender_alone_to_read(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        node.join(&room, bob()).await.unwrap();
        let delay_id = node.schedule(later(&room, alice(), "boo", SECOND)).await.unwrap();
        assert!(delay_id.len() >= 32);
        let bob = node.user_number(bob()).await;
        let read = node.rooms.delayed_event(bob, &delay_id).await;
        assert!(matches!(refusal(read), RoomsRefusal::NoSuchDelayedEvent));
        assert!(node.rooms.scheduled_events(bob).await.unwrap().is_empty());
        let unknown = node.rooms.cancel_delayed(&node.log, "unknown").await;
        assert!(matches!(refusal(unknown), RoomsRefusal::NoSuchDelayedEvent));
    }
}

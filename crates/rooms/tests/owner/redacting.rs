//! Redactions: who may, and what is left.

use rooms::{Preset, RoomsRefusal};
use ruma::{RoomVersionId, event_id};
use serde_json::json;

use crate::harness::{
    Bench, Node, alice, assert_forbidden, bob, carol, conformance, content, plain, refusal,
};

async fn redact(
    node: &Node,
    room: &ruma::RoomId,
    sender: &ruma::UserId,
    target: &ruma::EventId,
) -> Result<ruma::OwnedEventId, rooms::RoomsError> {
    node.rooms
        .redact(&node.log, room, sender, target, Some("spam"), None)
        .await
}

const VERSIONS: [RoomVersionId; 4] = [
    RoomVersionId::V1,
    RoomVersionId::V10,
    RoomVersionId::V11,
    RoomVersionId::V12,
];

conformance! {
    async fn a_redacted_message_is_gone_from_the_table(bench) {
        let node = bench.node().await;
        for version in VERSIONS {
            let mut request = plain(Preset::PublicChat);
            request.version = Some(version.clone());
            let room = node.create(&request).await.unwrap();
            node.join(&room, bob()).await.unwrap();
            let said = node.say(&room, bob(), "a secret").await.unwrap();
            let redaction = redact(&node, &room, bob(), &said).await.unwrap();
            let left = node.event(&room, &said).await;
            assert_eq!(left.pdu.content().get(), "{}", "{version}");
            assert!(!left.pdu.json().contains("secret"), "{version}");
            assert_eq!(left.pdu.event_id(), said);
            assert_eq!(left.redacted_by.as_deref(), Some(&*redaction));
            let redaction = node.event(&room, &redaction).await;
            assert_eq!(redaction.pdu.redacts(), Some(&*said));
        }
    }

    async fn others_are_redacted_with_power_alone(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        node.join(&room, bob()).await.unwrap();
        node.join(&room, carol()).await.unwrap();
        let said = node.say(&room, bob(), "hello").await.unwrap();
        assert_forbidden(redact(&node, &room, carol(), &said).await);
        assert_eq!(node.event(&room, &said).await.redacted_by, None);
        redact(&node, &room, alice(), &said).await.unwrap();
        assert!(node.event(&room, &said).await.redacted_by.is_some());
    }

    async fn redacted_state_is_redacted_wherever_it_is_read(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        let topic = json!({ "topic": "a secret" });
        let old = node.set(&room, alice(), "m.room.topic", "", topic.clone()).await.unwrap();
        let name = json!({ "name": "a secret" });
        let current = node.set(&room, alice(), "m.room.name", "", name).await.unwrap();
        node.set(&room, alice(), "m.room.topic", "", json!({ "topic": "tea" })).await.unwrap();
        for target in [&old, &current] {
            redact(&node, &room, alice(), target).await.unwrap();
        }
        assert_eq!(node.state(&room, "m.room.name", "").await, json!({}));
        assert_eq!(node.state(&room, "m.room.topic", "").await["topic"], "tea");
        let found = node.rooms.room(&room).await.unwrap();
        let snapshot = node.rooms.snapshot().await.unwrap();
        for ord in 0..=snapshot.head().get() + 1 {
            for event in node.rooms.state_before(&snapshot, &found, ord).await.unwrap() {
                assert!(!event.json().contains("a secret"), "{ord}");
            }
        }
        // Read from the tables, not from the memory of the node that redacted.
        drop(snapshot);
        if node.database.engine_name() == "postgres" {
            let other = bench.node_with(rooms::EncryptionPolicy::Off, 2).await;
            assert_eq!(other.state(&room, "m.room.name", "").await, json!({}));
        }
    }

    async fn what_cannot_be_redacted(bench) {
        let node = bench.node().await;
        let (room, other) = (node.public().await, node.public().await);
        let create = node.timeline(&room).await.remove(0).pdu.event_id().to_owned();
        assert_forbidden(redact(&node, &room, alice(), &create).await);
        let elsewhere = node.say(&other, alice(), "hello").await.unwrap();
        for nowhere in [event_id!("$nowhere"), &*elsewhere] {
            let outcome = redact(&node, &room, alice(), nowhere).await;
            assert!(matches!(refusal(outcome), RoomsRefusal::NoSuchEvent));
        }
        assert_eq!(node.event(&other, &elsewhere).await.redacted_by, None);
    }

    async fn redacting_twice_keeps_the_first(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        let said = node.say(&room, alice(), "hello").await.unwrap();
        let first = redact(&node, &room, alice(), &said).await.unwrap();
        let second = redact(&node, &room, alice(), &said).await.unwrap();
        assert_ne!(first, second);
        assert_eq!(node.event(&room, &said).await.redacted_by, Some(first));
    }

    async fn a_message_redacted_in_its_own_batch_is_redacted(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        let said = node.say(&room, alice(), "a secret").await.unwrap();
        let redactions = (0..4).map(|_| redact(&node, &room, alice(), &said));
        futures_util::future::try_join_all(redactions).await.unwrap();
        assert_eq!(node.event(&room, &said).await.pdu.content().get(), "{}");
    }

    async fn a_redaction_sent_as_a_message_redacts_too(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        node.join(&room, bob()).await.unwrap();
        let said = node.say(&room, alice(), "hello").await.unwrap();
        let send = async |user| {
            let body = content(json!({ "redacts": said }));
            node.rooms.send(&node.log, &room, user, "m.room.redaction".into(), body, rooms::SendRequest::default()).await
        };
        assert_forbidden(send(bob()).await);
        send(alice()).await.unwrap();
        assert!(node.event(&room, &said).await.redacted_by.is_some());
        let nothing = node.rooms.send(&node.log, &room, alice(), "m.room.redaction".into(), content(json!({})), rooms::SendRequest::default());
        assert!(matches!(refusal(nothing.await), RoomsRefusal::Invalid(_)));
    }
}

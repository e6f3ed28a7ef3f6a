//! Which rooms are encrypted, by the deployment's policy.

use rooms::{
    CreateRoom, EncryptionPolicy, InitialState, MemberProfile, Preset, RoomsRefusal, UpgradeRoom,
};
use ruma::RoomVersionId;
use serde_json::{Value, json};

use crate::harness::{Bench, alice, bob, conformance, content, plain, refusal};

const POLICIES: [EncryptionPolicy; 3] = [
    EncryptionPolicy::Off,
    EncryptionPolicy::Private,
    EncryptionPolicy::Required,
];

fn with_state(preset: Preset, kind: &str, value: Value) -> CreateRoom {
    let mut request = plain(preset);
    request.initial_state = vec![InitialState {
        kind: kind.into(),
        state_key: String::new(),
        content: content(value),
    }];
    request
}

fn of_type(kind: &str) -> CreateRoom {
    let mut request = plain(Preset::PrivateChat);
    request.creation_content = content(json!({ "type": kind }));
    request
}

/// What is asked for, and under each policy: whether the room is encrypted, `None` if refused.
fn cases() -> Vec<(&'static str, CreateRoom, [Option<bool>; 3])> {
    let megolm = json!({ "algorithm": "m.megolm.v1.aes-sha2" });
    let asked = |preset| with_state(preset, "m.room.encryption", megolm.clone());
    let ruled =
        |preset, rule: &str| with_state(preset, "m.room.join_rules", json!({ "join_rule": rule }));
    let (yes, no) = (Some(true), Some(false));
    vec![
        ("private", plain(Preset::PrivateChat), [no, yes, yes]),
        ("trusted", plain(Preset::TrustedPrivateChat), [no, yes, yes]),
        ("public", plain(Preset::PublicChat), [no, no, None]),
        ("asked for", asked(Preset::PrivateChat), [yes, yes, yes]),
        (
            "public, asked for",
            asked(Preset::PublicChat),
            [yes, yes, yes],
        ),
        (
            "private, made public",
            ruled(Preset::PrivateChat, "public"),
            [no, no, None],
        ),
        (
            "public, made to knock at",
            ruled(Preset::PublicChat, "knock"),
            [no, yes, yes],
        ),
        ("a space", of_type("m.space"), [no, no, no]),
        (
            "asked for, without an algorithm",
            with_state(Preset::PublicChat, "m.room.encryption", json!({})),
            [yes, None, None],
        ),
        (
            "asked for, with an algorithm that is none",
            with_state(
                Preset::PrivateChat,
                "m.room.encryption",
                json!({ "algorithm": "none" }),
            ),
            [yes, None, None],
        ),
        (
            "of another type",
            of_type("org.example.board"),
            [no, no, None],
        ),
    ]
}

conformance! {
    async fn new_rooms_are_encrypted_as_the_policy_says(bench) {
        for (index, policy) in POLICIES.into_iter().enumerate() {
            // A database has one log at a time.
            let node = bench.node_with(policy, 1 + index as u64).await;
            for (claim, request, expected) in cases() {
                let outcome = node.create(&request).await;
                let encrypted = match outcome {
                    Ok(room) => Some(node.rooms.room(&room).await.unwrap().state.is_encrypted()),
                    Err(error) => {
                        let error = refusal::<()>(Err(error));
                        assert!(matches!(error, RoomsRefusal::EncryptionRequired(_)), "{error}");
                        None
                    }
                };
                assert_eq!(encrypted, expected[index], "{claim} under {policy:?}");
            }
            node.log.stop().await;
        }
    }

    async fn readable_messages_are_refused_where_encryption_is_required(bench) {
        let node = bench.node_with(EncryptionPolicy::Required, 1).await;
        let room = node.private().await;
        let space = node.create(&of_type("m.space")).await.unwrap();
        for (kind, expected) in [
            ("m.room.message", false),
            ("m.sticker", false),
            ("org.example.note", false),
            ("m.room.encrypted", true),
            ("m.reaction", true),
            ("m.call.invite", true),
        ] {
            let send = async |room| {
                let body = content(json!({ "body": "x" }));
                node.rooms.send(&node.log, room, alice(), kind.into(), body, rooms::SendRequest::default()).await
            };
            let outcome = send(&room).await;
            assert_eq!(outcome.is_ok(), expected, "{kind}");
            if let Err(error) = outcome {
                let refusal = refusal::<()>(Err(error));
                assert!(refusal.to_string().contains(kind), "{refusal}");
                assert!(matches!(refusal, RoomsRefusal::EncryptionRequired(_)));
            }
            assert_eq!(send(&space).await.is_ok(), expected, "{kind} in a space");
        }
        node.set(&room, alice(), "m.room.topic", "", json!({ "topic": "x" })).await.unwrap();
        node.invite(&room, alice(), bob()).await.unwrap();
        let said = node.timeline(&room).await.pop().unwrap();
        let target = said.pdu.event_id();
        node.rooms.redact(&node.log, &room, alice(), target, None, None).await.unwrap();
    }

    async fn an_encrypted_room_keeps_its_algorithm(bench) {
        for (seed, policy) in [(1, EncryptionPolicy::Private), (2, EncryptionPolicy::Required)] {
            let node = bench.node_with(policy, seed).await;
            let room = node.private().await;
            let outcome = node.set(&room, alice(), "m.room.encryption", "", json!({})).await;
            let refusal = refusal(outcome);
            assert!(matches!(refusal, RoomsRefusal::EncryptionRequired(_)), "{refusal}");
            node.log.stop().await;
        }
    }

    async fn a_room_that_is_replaced_is_encrypted_as_a_new_one_would_be(bench) {
        for (seed, policy, expected) in [
            (1, EncryptionPolicy::Private, [true, false, false, false]),
            (3, EncryptionPolicy::Required, [true, true, false, true]),
        ] {
            let lax = bench.node_with(EncryptionPolicy::Off, seed).await;
            let mut rooms = Vec::new();
            for request in [
                plain(Preset::PrivateChat),
                plain(Preset::PublicChat),
                of_type("m.space"),
                of_type("org.example.forum"),
            ] {
                rooms.push(lax.create(&request).await.unwrap());
            }
            lax.log.stop().await;
            drop(lax);
            let node = bench.node_with(policy, seed + 1).await;
            for (room, expected) in rooms.into_iter().zip(expected) {
                let upgrade = UpgradeRoom {
                    room_id: room,
                    user_id: alice().to_owned(),
                    profile: MemberProfile::default(),
                    version: RoomVersionId::V12,
                    additional_creators: Vec::new(),
                };
                let new = node.rooms.upgrade(&node.log, &upgrade).await.unwrap();
                let is_encrypted = node.rooms.room(&new).await.unwrap().state.is_encrypted();
                assert_eq!(is_encrypted, expected, "{policy:?}, {}", upgrade.room_id);
            }
            node.log.stop().await;
        }
    }

    async fn readable_messages_are_nobodys_business_elsewhere(bench) {
        for (seed, policy) in [(1, EncryptionPolicy::Off), (2, EncryptionPolicy::Private)] {
            let node = bench.node_with(policy, seed).await;
            let room = node.private().await;
            node.say(&room, alice(), "hello").await.unwrap();
            node.log.stop().await;
        }
    }
}

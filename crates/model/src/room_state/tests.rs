//! The state follows its events, in each clone for itself.

use std::sync::Arc;

use ruma::{
    OwnedUserId, RoomVersionId, UserId,
    events::room::{history_visibility::HistoryVisibility, member::MembershipState},
    int,
    room::JoinRuleKind,
};
use serde_json::json;

use super::{BadCreateEvent, RoomState, StateView};
use crate::{
    event::{EventDraft, Links},
    redaction::redact,
    test_room::{TestRoom, VERSIONS, alice, bob, carol, object},
    time::Timestamp,
};

#[test]
fn a_new_room_has_the_defaults_of_the_specification() {
    for version in &VERSIONS {
        let state = TestRoom::new(version).state;
        assert_eq!(state.create().version, *version);
        assert_eq!(state.join_rule().kind, JoinRuleKind::Invite);
        assert_eq!(*state.history_visibility(), HistoryVisibility::Shared);
        assert!(!state.guests_may_join() && !state.is_encrypted() && !state.create().is_space());
        assert_eq!(
            (state.joined_count(), state.invited_count(), state.len()),
            (1, 0, 2)
        );
        assert_eq!(state.power_levels().state_default, int!(50));
        assert!(state.create().creators.contains(alice()));
    }
}

#[test]
fn facts_follow_the_events_that_state_them() {
    let create = json!({ "type": "m.space", "m.federate": false });
    let mut room = TestRoom::with_create(&RoomVersionId::V11, create);
    for (event_type, content) in [
        ("m.room.join_rules", json!({ "join_rule": "public" })),
        (
            "m.room.history_visibility",
            json!({ "history_visibility": "joined" }),
        ),
        ("m.room.guest_access", json!({ "guest_access": "can_join" })),
        (
            "m.room.encryption",
            json!({ "algorithm": "m.megolm.v1.aes-sha2" }),
        ),
        (
            "m.room.canonical_alias",
            json!({ "alias": "#a:example.org" }),
        ),
        ("m.room.name", json!({ "name": "Lobby" })),
        ("m.room.topic", json!({ "topic": "" })),
        ("m.room.avatar", json!({ "url": "mxc://example.org/a" })),
    ] {
        room.state(alice(), event_type, "", content).unwrap();
    }
    let state = &room.state;
    assert!(state.create().is_space() && !state.create().federate);
    assert_eq!(state.join_rule().kind, JoinRuleKind::Public);
    assert_eq!(*state.history_visibility(), HistoryVisibility::Joined);
    assert!(state.guests_may_join() && state.is_encrypted());
    assert_eq!(state.canonical_alias().unwrap().as_str(), "#a:example.org");
    assert_eq!(
        (state.name().as_deref(), state.topic()),
        (Some("Lobby"), None)
    );
    assert_eq!(state.avatar_url().unwrap().as_str(), "mxc://example.org/a");

    room.state.remove("m.room.join_rules", "");
    assert_eq!(room.state.join_rule().kind, JoinRuleKind::Invite);
}

#[test]
fn members_are_counted_through_every_change() {
    let mut room = TestRoom::new(&RoomVersionId::V12).by_invitation();
    let counts = |room: &TestRoom| (room.state.joined_count(), room.state.invited_count());
    room.member(alice(), bob(), "invite").unwrap();
    room.member(alice(), carol(), "invite").unwrap();
    assert_eq!(counts(&room), (1, 2));
    room.member(bob(), bob(), "join").unwrap();
    room.member(bob(), bob(), "join").unwrap();
    assert_eq!(counts(&room), (2, 1));
    room.member(carol(), carol(), "leave").unwrap();
    room.member(alice(), bob(), "ban").unwrap();
    assert_eq!(counts(&room), (1, 0));
    assert_eq!(room.state.membership(bob()), MembershipState::Ban);
    let joined = room.state.members_with(MembershipState::Join);
    assert_eq!(joined.map(|(user, _)| user).collect::<Vec<_>>(), [alice()]);
}

#[test]
fn a_clone_changes_for_itself() {
    let users = (0..500).map(|i| UserId::parse(format!("@u{i}:example.org")).unwrap());
    let users = users.collect::<Vec<OwnedUserId>>();
    let mut room = TestRoom::new(&RoomVersionId::V12).with_members(&users);
    let before = room.state.clone();
    for user in &users[..100] {
        room.member(user, user, "leave").unwrap();
    }
    assert_eq!(
        (before.joined_count(), room.state.joined_count()),
        (501, 401)
    );
    assert!(before.is_joined(&users[0]) && !room.state.is_joined(&users[0]));
    assert_eq!(before.members().count(), room.state.members().count());
    assert_eq!(before.len(), before.iter().count());
}

#[test]
fn redacting_state_takes_away_only_what_the_event_loses() {
    for version in &VERSIONS {
        let mut room = TestRoom::new(version);
        let encryption = json!({ "algorithm": "m.megolm.v1.aes-sha2" });
        let encryption = room
            .state(alice(), "m.room.encryption", "", encryption)
            .unwrap();
        let name = room
            .state(alice(), "m.room.name", "", json!({ "name": "Lobby" }))
            .unwrap();
        let create = Arc::clone(room.get("m.room.create", ""));
        for event in [&encryption, &name, &create] {
            let redacted = Arc::new(redact(event, &room.rules).unwrap());
            assert!(room.state.replace_redacted(redacted));
        }
        assert!(room.state.is_encrypted(), "version {version}");
        assert_eq!(room.state.name(), None);
        assert_eq!(room.state.create().version, *version);
        assert!(room.state.create().creators.contains(alice()));

        room.state(alice(), "m.room.name", "", json!({ "name": "New" }))
            .unwrap();
        let late = Arc::new(redact(&name, &room.rules).unwrap());
        assert!(!room.state.replace_redacted(late));
        assert_eq!(room.state.name().as_deref(), Some("New"));
    }
}

#[test]
fn a_create_event_of_an_unknown_version_makes_no_room() {
    let rules = RoomVersionId::V11.rules().unwrap();
    let create = EventDraft {
        event_type: "m.room.create".to_owned(),
        state_key: Some(String::new()),
        content: object(json!({ "room_version": "org.example.99" })),
        sender: alice().to_owned(),
        origin_server_ts: Timestamp::from_millis(0),
        redacts: None,
        room_id: Some("!r:example.org".try_into().unwrap()),
    };
    let create = create.link(Links::default(), &rules).unwrap();
    let error = RoomState::new(Arc::new(create)).unwrap_err();
    assert!(matches!(error, BadCreateEvent::UnknownVersion(_)));
}

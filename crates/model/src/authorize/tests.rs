//! Tables of who may do what, in the room versions where the answer differs.

use ruma::{RoomVersionId, UserId, events::room::power_levels::UserPowerLevel, int};
use serde_json::json;

use super::AuthRefusal;
use crate::{
    room_state::StateView,
    test_room::{TestRoom, VERSIONS, alice, bob, carol},
};

fn refusal<T: std::fmt::Debug>(result: Result<T, crate::test_room::Refused>) -> AuthRefusal {
    result.unwrap_err().auth()
}

fn rule<T: std::fmt::Debug>(result: Result<T, crate::test_room::Refused>) -> String {
    match refusal(result) {
        AuthRefusal::Rule(sentence) => sentence,
        other => panic!("another refusal: {other:?}"),
    }
}

#[test]
fn a_room_works_in_every_version() {
    for version in &VERSIONS {
        let mut room = TestRoom::new(version).with_members(&[bob().to_owned()]);
        let event = room.say(bob(), "hello").unwrap();
        let redaction = room.redact(bob(), event.event_id().to_owned()).unwrap();
        assert_eq!(
            redaction.redacts(),
            Some(event.event_id()),
            "version {version}"
        );
        room.member(bob(), bob(), "leave").unwrap();
        assert_eq!(refusal(room.say(bob(), "gone")), AuthRefusal::NotJoined);
    }
}

#[test]
fn only_the_invited_join_unless_the_room_is_public() {
    for version in &VERSIONS {
        let mut room = TestRoom::new(version).by_invitation();
        assert_eq!(
            refusal(room.member(bob(), bob(), "join")),
            AuthRefusal::NotInvited
        );
        room.member(alice(), bob(), "invite").unwrap();
        room.member(bob(), bob(), "join").unwrap();
        assert_eq!(
            refusal(room.member(carol(), bob(), "leave")),
            AuthRefusal::NotJoined
        );
        assert!(room.state.is_joined(bob()));
    }
}

#[test]
fn banned_users_can_do_nothing_until_unbanned() {
    for version in &VERSIONS {
        let mut room = TestRoom::new(version).with_members(&[bob().to_owned()]);
        room.member(alice(), bob(), "ban").unwrap();
        for membership in ["join", "knock", "leave", "ban"] {
            let result = room.member(bob(), bob(), membership);
            assert_eq!(
                refusal(result),
                AuthRefusal::Banned,
                "{membership} in {version}"
            );
        }
        assert_eq!(refusal(room.say(bob(), "hello")), AuthRefusal::Banned);
        rule(room.member(alice(), bob(), "invite"));
        room.member(alice(), bob(), "leave").unwrap();
        room.member(bob(), bob(), "join").unwrap();
    }
}

#[test]
fn one_knocks_where_the_rule_and_the_version_know_knocking() {
    for (index, version) in VERSIONS.iter().enumerate() {
        let mut room = TestRoom::new(version);
        rule(room.member(bob(), bob(), "knock"));
        room.state(
            alice(),
            "m.room.join_rules",
            "",
            json!({ "join_rule": "knock" }),
        )
        .unwrap();
        let knock = room.member(bob(), bob(), "knock");
        if index + 1 < 7 {
            rule(knock);
            continue;
        }
        knock.unwrap();
        rule(room.member(alice(), alice(), "knock"));
        assert_eq!(
            refusal(room.member(bob(), bob(), "join")),
            AuthRefusal::NotInvited
        );
        room.member(alice(), bob(), "invite").unwrap();
        rule(room.member(bob(), bob(), "knock"));
        room.member(bob(), bob(), "join").unwrap();
    }
}

#[test]
fn a_restricted_room_takes_in_whom_a_member_with_power_vouches_for() {
    for (index, version) in VERSIONS.iter().enumerate().skip(7) {
        let mut room = TestRoom::new(version);
        let allow = json!([{ "type": "m.room_membership", "room_id": "!other:example.org" }]);
        room.state(
            alice(),
            "m.room.join_rules",
            "",
            json!({ "join_rule": "restricted", "allow": allow }),
        )
        .unwrap();
        assert_eq!(
            room.state.join_rule().allowed_rooms.len(),
            1,
            "version {}",
            index + 1
        );
        assert_eq!(
            refusal(room.member(bob(), bob(), "join")),
            AuthRefusal::NotInvited
        );
        let vouched =
            |by: &UserId| json!({ "membership": "join", "join_authorised_via_users_server": by });
        let key = bob().as_str();
        let result = room.state(bob(), "m.room.member", key, vouched(carol()));
        assert_eq!(refusal(result), AuthRefusal::NotInvited);
        let join = room
            .state(bob(), "m.room.member", key, vouched(alice()))
            .unwrap();
        let voucher = room.state.get("m.room.member", alice().as_str()).unwrap();
        assert!(
            join.auth_events()
                .iter()
                .any(|id| *id == voucher.event_id())
        );
    }
}

#[test]
fn power_decides_who_sends_kicks_bans_and_invites() {
    for version in &VERSIONS {
        let mut room = TestRoom::new(version).with_members(&[bob().to_owned(), carol().to_owned()]);
        let levels = |bob_level: i64| {
            let mut users = json!({ bob(): bob_level });
            if *version != RoomVersionId::V12 {
                users[alice().as_str()] = json!(100);
            }
            json!({ "users": users, "invite": 25, "events": { "m.room.topic": 30, "m.room.message": 10 } })
        };
        room.state(alice(), "m.room.power_levels", "", levels(20))
            .unwrap();
        room.say(bob(), "may").unwrap();
        rule(room.say(carol(), "may not"));
        rule(room.state(bob(), "m.room.topic", "", json!({ "topic": "t" })));
        rule(room.state(bob(), "m.room.name", "", json!({ "name": "n" })));
        rule(room.member(bob(), carol(), "leave"));
        rule(room.member(bob(), carol(), "ban"));
        rule(room.member(bob(), ruma::user_id!("@dora:example.org"), "invite"));
        assert!(!room.state.may_invite(bob()) && !room.state.may_kick(bob(), carol()));

        room.state(alice(), "m.room.power_levels", "", levels(50))
            .unwrap();
        room.state(bob(), "m.room.topic", "", json!({ "topic": "t" }))
            .unwrap();
        assert!(room.state.may_set_state(bob(), "m.room.topic"));
        assert!(room.state.may_invite(bob()) && room.state.may_ban(bob(), carol()));
        room.member(bob(), carol(), "leave").unwrap();
        room.member(bob(), carol(), "ban").unwrap();
        rule(room.member(bob(), alice(), "leave"));
        assert!(!room.state.may_kick(bob(), alice()));
        rule(room.state(bob(), "m.room.power_levels", "", levels(51)));
        assert!(!room.state.may_invite(carol()));
    }
}

#[test]
fn nobody_sets_state_that_bears_anothers_name() {
    let mut room = TestRoom::new(&RoomVersionId::V12).with_members(&[bob().to_owned()]);
    let levels = json!({ "state_default": 0 });
    room.state(alice(), "m.room.power_levels", "", levels)
        .unwrap();
    room.state(bob(), "org.example.note", bob().as_str(), json!({}))
        .unwrap();
    rule(room.state(bob(), "org.example.note", alice().as_str(), json!({})));
}

#[test]
fn creators_of_version_12_cannot_be_demoted_and_need_no_level() {
    let additional = json!({ "additional_creators": [carol()] });
    let mut room = TestRoom::with_create(&RoomVersionId::V12, additional)
        .with_members(&[bob().to_owned(), carol().to_owned()])
        .with_power_levels(json!({ bob(): 9_007_199_254_740_991i64 }));
    for creator in [alice(), carol()] {
        assert_eq!(room.state.power_level_of(creator), UserPowerLevel::Infinite);
        let users = json!({ "users": { creator: 0 } });
        rule(room.state(alice(), "m.room.power_levels", "", users));
        rule(room.member(bob(), creator, "leave"));
        rule(room.member(bob(), creator, "ban"));
    }
    room.state(carol(), "m.room.power_levels", "", json!({ "users": {} }))
        .unwrap();
    assert_eq!(room.state.power_level_of(bob()), int!(0));
}

#[test]
fn creators_before_version_12_have_the_level_that_the_room_gives_them() {
    let mut room = TestRoom::new(&RoomVersionId::V11).with_members(&[bob().to_owned()]);
    assert_eq!(room.state.power_level_of(alice()), int!(100));
    let users = json!({ alice(): 100, bob(): 100 });
    room = room.with_power_levels(users);
    let demotion = json!({ "users": { alice(): 0, bob(): 100 } });
    room.state(alice(), "m.room.power_levels", "", demotion)
        .unwrap();
    assert_eq!(room.state.power_level_of(alice()), int!(0));
    rule(room.state(alice(), "m.room.name", "", json!({ "name": "mine" })));
}

#[test]
fn power_levels_as_strings_count_before_version_10_and_are_refused_after() {
    for (index, version) in VERSIONS.iter().enumerate() {
        let mut room = TestRoom::new(version);
        let levels = json!({ "users": { bob(): " 50 " }, "ban": "75" });
        let result = room.state(alice(), "m.room.power_levels", "", levels);
        if index + 1 >= 10 {
            rule(result);
            continue;
        }
        result.unwrap();
        assert_eq!(
            room.state.power_level_of(bob()),
            int!(50),
            "version {version}"
        );
        assert_eq!(room.state.power_levels().ban, int!(75));
    }
}

#[test]
fn people_redact_their_own_events_and_with_power_those_of_others() {
    for version in &VERSIONS {
        let mut room = TestRoom::new(version).with_members(&[bob().to_owned(), carol().to_owned()]);
        let event = room.say(bob(), "hello").unwrap();
        assert!(room.state.may_redact(bob(), &event));
        assert!(room.state.may_redact(alice(), &event));
        assert!(!room.state.may_redact(carol(), &event), "version {version}");
    }
}

#[test]
fn a_room_kept_to_one_server_admits_nobody_from_another() {
    let mut room = TestRoom::with_create(&RoomVersionId::V11, json!({ "m.federate": false }))
        .with_members(&[]);
    let stranger = ruma::user_id!("@eve:elsewhere.org");
    assert_eq!(
        refusal(room.member(stranger, stranger, "join")),
        AuthRefusal::NotInvited
    );
    rule(room.member(stranger, stranger, "knock"));
    room.member(bob(), bob(), "join").unwrap();
}

#[test]
fn a_second_create_event_and_a_create_event_with_a_past_are_refused() {
    for version in [&RoomVersionId::V10, &RoomVersionId::V11] {
        let mut room = TestRoom::new(version);
        rule(room.state(alice(), "m.room.create", "", json!({ "creator": alice() })));
    }
}

#[test]
fn the_short_way_to_judge_messages_agrees_with_the_rules() {
    let senders = [
        alice(),
        bob(),
        carol(),
        ruma::user_id!("@eve:elsewhere.org"),
    ];
    for version in &VERSIONS {
        for federate in [true, false] {
            let create = json!({ "m.federate": federate });
            let mut room = TestRoom::with_create(version, create).with_members(&[bob().to_owned()]);
            for levels in [
                json!(null),
                json!({ "users": { bob(): 10 }, "events_default": 20 }),
                json!({ "users_default": 5, "events": { "org.example": 6, "m.room.message": 5 } }),
                json!({ "users": { bob(): 10 }, "events": { "org.example": 10 } }),
            ] {
                if levels.is_object() {
                    // Where only levels gave Alice power, she loses it with the first event.
                    room.state(alice(), "m.room.power_levels", "", levels).ok();
                }
                for sender in senders {
                    for event_type in ["m.room.message", "org.example", "m.reaction"] {
                        let short = room.state.may_send(sender, event_type);
                        let sent = room.send(sender, event_type, None, json!({}));
                        assert_eq!(short, sent.is_ok(), "{sender} {event_type} in {version}");
                    }
                }
            }
        }
    }
}

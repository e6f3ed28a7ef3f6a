//! Bob's rules against what others send.

use ruma::{
    RoomVersionId,
    push::{NewPushRule, NewSimplePushRule, Ruleset},
};
use serde_json::{Value, json};

use super::{PushEvent, PushOutcome, PushReader, evaluate};
use crate::{
    event::Pdu,
    test_room::{TestRoom, alice, bob, carol},
};

fn for_bob(rules: &Ruleset, room: &TestRoom, event: &Pdu) -> PushOutcome {
    evaluate(rules, &PushEvent::new(event), &bobby(room, event))
}

fn bobby(room: &TestRoom, event: &Pdu) -> PushReader {
    let state = &room.state;
    PushReader::new(
        bob(),
        "Bobby",
        event.room_id(),
        state.joined_count(),
        state.power_levels(),
    )
}

fn room(members: usize) -> TestRoom {
    let others = [bob().to_owned(), carol().to_owned()];
    TestRoom::new(&RoomVersionId::V12).with_members(&others[..members - 1])
}

fn of_default(room: &mut TestRoom, event_type: &str, content: Value) -> PushOutcome {
    let event = room.send(alice(), event_type, None, content).unwrap();
    for_bob(&Ruleset::server_default(bob()), room, &event)
}

#[test]
fn the_default_rules_notify_as_the_specification_says() {
    let text = |body: &str| json!({ "msgtype": "m.text", "body": body });
    let mention =
        json!({ "msgtype": "m.text", "body": "hi", "m.mentions": { "user_ids": [bob()] } });
    let everyone = json!({ "msgtype": "m.text", "body": "hi", "m.mentions": { "room": true } });
    let edit =
        json!({ "body": "*", "m.relates_to": { "rel_type": "m.replace", "event_id": "$e" } });
    for (event_type, content, rule, notify, highlight) in [
        (
            "m.room.message",
            text("hello"),
            ".m.rule.message",
            true,
            false,
        ),
        (
            "m.room.encrypted",
            json!({}),
            ".m.rule.encrypted",
            true,
            false,
        ),
        (
            "m.room.message",
            mention,
            ".m.rule.is_user_mention",
            true,
            true,
        ),
        (
            "m.room.message",
            everyone,
            ".m.rule.is_room_mention",
            true,
            true,
        ),
        (
            "m.room.message",
            json!({ "msgtype": "m.notice", "body": "n" }),
            ".m.rule.suppress_notices",
            false,
            false,
        ),
        (
            "m.room.message",
            edit,
            ".m.rule.suppress_edits",
            false,
            false,
        ),
        ("m.reaction", json!({}), ".m.rule.reaction", false, false),
    ] {
        let outcome = of_default(&mut room(3), event_type, content);
        assert_eq!(outcome.rule_id.as_deref(), Some(rule));
        assert_eq!(
            (outcome.notify, outcome.highlight),
            (notify, highlight),
            "{rule}"
        );
    }
    assert_eq!(
        of_default(&mut room(3), "org.example", json!({})),
        PushOutcome::default()
    );
}

#[test]
fn a_message_between_two_makes_a_sound() {
    let outcome = of_default(&mut room(2), "m.room.message", json!({ "body": "hi" }));
    assert_eq!(outcome.rule_id.as_deref(), Some(".m.rule.room_one_to_one"));
    assert_eq!(outcome.sound.as_deref(), Some("default"));
}

#[test]
fn an_invitation_notifies_whom_it_is_for() {
    let mut room = TestRoom::new(&RoomVersionId::V12);
    let event = room.member(alice(), bob(), "invite").unwrap();
    let outcome = for_bob(&Ruleset::server_default(bob()), &room, &event);
    assert_eq!(outcome.rule_id.as_deref(), Some(".m.rule.invite_for_me"));
    let event = room.member(alice(), carol(), "invite").unwrap();
    let outcome = for_bob(&Ruleset::server_default(bob()), &room, &event);
    assert!(!outcome.notify);
}

#[test]
fn mentioning_the_room_takes_the_power_to_do_so() {
    let mut room = room(3);
    let everyone = json!({ "body": "hi", "m.mentions": { "room": true } });
    let event = room
        .send(carol(), "m.room.message", None, everyone)
        .unwrap();
    let outcome = for_bob(&Ruleset::server_default(bob()), &room, &event);
    assert_eq!(outcome.rule_id.as_deref(), Some(".m.rule.message"));
}

#[test]
fn the_rules_about_threads_hold_for_who_says_which_they_follow() {
    let mut room = room(3);
    let root = room.say(alice(), "root").unwrap();
    let relation = json!({ "rel_type": "m.thread", "event_id": root.event_id() });
    let content = json!({ "body": "in it", "m.relates_to": relation });
    let event = room.send(alice(), "m.room.message", None, content).unwrap();
    let rules = Ruleset::server_default(bob());
    let following = |threads: &[&Pdu]| {
        let threads = threads.iter().map(|root| root.event_id().to_owned());
        let reader = bobby(&room, &event).following(threads.collect());
        evaluate(&rules, &PushEvent::new(&event), &reader)
    };
    let outcome = following(&[]);
    let unsubscribed = ".io.element.msc4306.rule.unsubscribed_thread";
    assert_eq!(outcome.rule_id.as_deref(), Some(unsubscribed));
    assert!(!outcome.notify);
    let outcome = following(&[&root]);
    let subscribed = ".io.element.msc4306.rule.subscribed_thread";
    assert_eq!(outcome.rule_id.as_deref(), Some(subscribed));
    assert!(outcome.notify);
    let outcome = for_bob(&rules, &room, &event);
    assert_eq!(outcome.rule_id.as_deref(), Some(".m.rule.message"));
}

#[test]
fn ones_own_events_never_notify() {
    let mut room = room(3);
    let event = room.say(bob(), "note to self").unwrap();
    let outcome = for_bob(&Ruleset::server_default(bob()), &room, &event);
    assert_eq!(outcome, PushOutcome::default());
}

#[test]
fn a_muted_room_is_silent_and_the_master_rule_silences_all() {
    let mut room = room(3);
    let event = room.say(alice(), "hello").unwrap();
    let mut rules = Ruleset::server_default(bob());
    let mute = NewSimplePushRule::new(event.room_id().to_owned(), vec![]);
    rules.insert(NewPushRule::Room(mute), None, None).unwrap();
    assert!(!for_bob(&rules, &room, &event).notify);

    let mut rules = Ruleset::server_default(bob());
    rules
        .set_enabled(ruma::push::RuleKind::Override, ".m.rule.master", true)
        .unwrap();
    let outcome = for_bob(&rules, &room, &event);
    assert_eq!(outcome.rule_id.as_deref(), Some(".m.rule.master"));
    assert!(!outcome.notify);
}

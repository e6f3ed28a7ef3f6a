//! Push rules: whatever somebody's rules are, and whatever is said.

use model::{
    event::{EventDraft, Links, Pdu},
    json::canonical_object,
    push_rules::{PushEvent, PushReader, evaluate},
    time::Timestamp,
};
use ruma::{
    RoomVersionId, events::room::power_levels::RoomPowerLevels, push::Ruleset, room_id, user_id,
};

use crate::text::first_line;

/// The first line is the content of an event that Bob sends; the rest is the JSON of Alice's rules.
///
/// Nothing panics; rules read back as they were written, also beside the server's; an event has one
/// outcome, by a rule that is there and switched on; and one's own events match nothing.
pub fn push_rules(data: &[u8]) {
    let (content, rules) = first_line(data);
    let Ok(mut rules) = serde_json::from_slice::<Ruleset>(rules) else {
        return;
    };
    let reader = user_id!("@alice:example.org");
    rules.update_with_server_default(Ruleset::server_default(reader));
    let written = serde_json::to_string(&rules).unwrap();
    let again: Ruleset = serde_json::from_str(&written).unwrap();
    assert_eq!(written, serde_json::to_string(&again).unwrap());

    let Some(said) = said("@bob:example.org", content) else {
        return;
    };
    let levels = RoomPowerLevels::new(
        ruma::events::room::power_levels::RoomPowerLevelsSource::None,
        &RoomVersionId::V11.rules().unwrap().authorization,
        [user_id!("@bob:example.org").to_owned()],
    );
    let room = room_id!("!room:example.org");
    let told = PushReader::new(reader, "Alice *?[", room, 2, &levels);
    let event = PushEvent::new(&said);
    let outcome = evaluate(&rules, &event, &told);
    assert_eq!(outcome, evaluate(&again, &event, &told));
    let matched = outcome.rule_id.as_deref();
    let enabled = |id: &str| {
        let mut named = rules.iter().filter(|rule| rule.rule_id() == id);
        named.any(|rule| rule.enabled())
    };
    assert!(matched.is_none_or(enabled), "{matched:?}");
    assert!(matched.is_some() || outcome == Default::default());

    let own = said_by_alice(content);
    let nothing = evaluate(&rules, &PushEvent::new(&own), &told);
    assert_eq!(nothing, Default::default());
}

fn said_by_alice(content: &[u8]) -> Pdu {
    said("@alice:example.org", content).unwrap()
}

fn said(sender: &str, content: &[u8]) -> Option<Pdu> {
    let content = canonical_object(std::str::from_utf8(content).ok()?, 65_535).ok()?;
    let draft = EventDraft {
        event_type: "m.room.message".to_owned(),
        state_key: None,
        content,
        sender: sender.try_into().unwrap(),
        origin_server_ts: Timestamp::from_millis(1_700_000_000_000),
        redacts: None,
        room_id: Some(room_id!("!room:example.org").to_owned()),
    };
    let links = Links {
        depth: 2,
        ..Links::default()
    };
    draft.link(links, &RoomVersionId::V11.rules()?).ok()
}

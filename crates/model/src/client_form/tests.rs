//! The spliced forms, parsed back and compared.

use ruma::{RoomVersionId, event_id};
use serde_json::{Value, json};

use super::{ClientFragment, Unsigned, stripped};
use crate::{
    redaction::redact,
    test_room::{TestRoom, VERSIONS, alice},
};

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_fragment_closes_into_the_event_with_what_was_spliced() {
    let mut room = TestRoom::new(&RoomVersionId::V12);
    let event = room.say(alice(), "quote \" and 世界").unwrap();
    let fragment = ClientFragment::new(&event);
    let plain = json!({
        "content": { "body": "quote \" and 世界", "msgtype": "m.text" },
        "event_id": event.event_id(),
        "origin_server_ts": event.origin_server_ts(),
        "sender": alice(),
        "type": "m.room.message",
    });
    assert_eq!(parsed(&fragment.to_text(None, None)), plain);
    let mut whole = plain;
    whole["room_id"] = json!(event.room_id());
    whole["unsigned"] = json!({ "age": 5, "transaction_id": "t" });
    let unsigned = Unsigned {
        age: Some(5),
        transaction_id: Some("t"),
        ..Unsigned::default()
    };
    let unsigned = unsigned.to_json().unwrap();
    let text = fragment.to_text(Some(event.room_id()), Some(&unsigned));
    assert_eq!(parsed(&text), whole);
    assert_eq!(Unsigned::default().to_json(), None);
}

#[test]
fn a_state_key_is_shown_also_when_it_is_empty() {
    let room = TestRoom::new(&RoomVersionId::V12);
    let create = room.get("m.room.create", "");
    let event = parsed(&ClientFragment::new(create).to_text(Some(create.room_id()), None));
    assert_eq!(event["state_key"], "");
    assert_eq!(event["room_id"], create.room_id().as_str());
    let stripped = parsed(&stripped(create));
    let fields = stripped.as_object().unwrap().keys().collect::<Vec<_>>();
    assert_eq!(fields, ["content", "sender", "state_key", "type"]);
}

#[test]
fn a_redaction_names_its_target_in_both_places_in_every_version() {
    for version in &VERSIONS {
        let mut room = TestRoom::new(version);
        let target = event_id!("$target");
        let redaction = room.redact(alice(), target.to_owned()).unwrap();
        let event = parsed(&ClientFragment::new(&redaction).to_text(None, None));
        assert_eq!(event["redacts"], target.as_str(), "version {version}");
        assert_eq!(
            event["content"]["redacts"],
            target.as_str(),
            "version {version}"
        );
        assert_eq!(event["content"]["reason"], "spam");
    }
}

#[test]
fn a_redacted_event_shows_no_content() {
    let mut room = TestRoom::new(&RoomVersionId::V12);
    let event = redact(&room.say(alice(), "secret").unwrap(), &room.rules).unwrap();
    let text = ClientFragment::new(&event).to_text(None, None);
    assert_eq!(parsed(&text)["content"], json!({}));
}

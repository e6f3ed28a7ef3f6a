//! Events: what is built from a client's object, and what is read back.

use ruma::{
    CanonicalJsonObject, CanonicalJsonValue, EventId, OwnedEventId, OwnedRoomId, OwnedUserId,
    room_version_rules::{EventIdFormatVersion, RoomVersionRules},
    signatures::reference_hash,
};
use serde_json::Value;

use model::{
    client_form::{ClientFragment, stripped},
    event::{EventDraft, EventRef, Links, MAX_PDU_BYTES, Pdu},
    json::{canonical_object, canonical_text, check_object_depth},
    push_rules::PushEvent,
    redaction::redact,
    time::Timestamp,
};

use crate::text::version_named;

/// The first byte names a room version, the rest is the JSON of an event.
///
/// Nothing panics, and:
/// - JSON that is taken has one canonical form, no longer than it was.
/// - An event that is built fits into [`MAX_PDU_BYTES`], is canonical, is named by its hash, and
///   reads back as the same.
/// - Redacting it keeps its id and its hash, and redacting it again changes nothing.
/// - The forms that clients see are JSON.
pub fn event(data: &[u8]) {
    let Some((version, text)) = data.split_first() else {
        return;
    };
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let rules = version_named(*version).rules().unwrap();
    if let Ok(object) = canonical_object(text, MAX_PDU_BYTES) {
        has_one_form(text, &object);
        let (draft, links) = drafted(object);
        if let Ok(built) = draft.link(links, &rules) {
            check_built(&built, &rules);
        }
    }
    read_as_stored(text, &rules);
}

fn has_one_form(text: &str, object: &CanonicalJsonObject) {
    check_object_depth(object).unwrap();
    let canonical = canonical_text(object);
    assert!(canonical.len() <= text.len(), "{text} became {canonical}");
    let again = canonical_object(&canonical, MAX_PDU_BYTES).unwrap();
    assert_eq!(*object, again);
    assert_eq!(canonical, canonical_text(&again));
}

/// A draft of the fields that are there, with something in place of those that are not.
fn drafted(mut object: CanonicalJsonObject) -> (EventDraft, Links) {
    let mut text = |field: &str| match object.remove(field) {
        Some(CanonicalJsonValue::String(text)) => Some(text),
        _ => None,
    };
    let event_type = text("type").unwrap_or_default();
    let state_key = text("state_key");
    let sender = text("sender").and_then(|id| OwnedUserId::try_from(id).ok());
    let redacts = text("redacts").and_then(|id| OwnedEventId::try_from(id).ok());
    let room_id = text("room_id").and_then(|id| OwnedRoomId::try_from(id).ok());
    let local_id = text("event_id");
    let number = |field: &str| match object.get(field) {
        Some(CanonicalJsonValue::Integer(number)) => i64::from(*number),
        _ => 1,
    };
    let links = Links {
        prev_events: references(object.get("prev_events")),
        auth_events: references(object.get("auth_events")),
        depth: number("depth"),
        local_id,
    };
    let origin_server_ts = Timestamp::from_millis(number("origin_server_ts"));
    let content = match object.remove("content") {
        Some(CanonicalJsonValue::Object(content)) => content,
        _ => object,
    };
    let draft = EventDraft {
        event_type,
        state_key,
        content,
        sender: sender.unwrap_or_else(|| ruma::owned_user_id!("@alice:example.org")),
        origin_server_ts,
        redacts,
        room_id,
    };
    (draft, links)
}

/// References as both forms of them are written: ids, or pairs of an id and its hashes.
fn references(list: Option<&CanonicalJsonValue>) -> Vec<EventRef> {
    let Some(CanonicalJsonValue::Array(list)) = list else {
        return Vec::new();
    };
    let reference = |written: &CanonicalJsonValue| {
        let id = match written {
            CanonicalJsonValue::Array(pair) => pair.first()?,
            single => single,
        };
        Some(EventRef {
            event_id: OwnedEventId::try_from(id.as_str()?).ok()?,
            reference_hash: Some("a hash".into()),
        })
    };
    list.iter().filter_map(reference).collect()
}

fn check_built(built: &Pdu, rules: &RoomVersionRules) {
    let json = built.json();
    assert!(json.len() < MAX_PDU_BYTES);
    let object = canonical_object(json, MAX_PDU_BYTES).unwrap();
    assert_eq!(**json, canonical_text(&object), "it is not canonical");
    let hash = reference_hash(&object, rules).unwrap();
    if rules.event_id_format != EventIdFormatVersion::V1 {
        assert_eq!(built.event_id(), EventId::new_v2_or_v3(&hash).unwrap());
    }
    let stored = Pdu::from_stored(json.clone(), built.event_id().to_owned(), rules).unwrap();
    assert_same(built, &stored);

    let redacted = redact(built, rules).unwrap();
    assert_eq!(redacted.event_id(), built.event_id());
    let remains = canonical_object(redacted.json(), MAX_PDU_BYTES).unwrap();
    assert_eq!(hash, reference_hash(&remains, rules).unwrap());
    assert_same(&redacted, &redact(&redacted, rules).unwrap());
    for event in [built, &redacted] {
        check_shown(event);
    }
}

fn assert_same(one: &Pdu, other: &Pdu) {
    assert_eq!(one.event_id(), other.event_id());
    assert_eq!(one.room_id(), other.room_id());
    assert_eq!(one.event_type(), other.event_type());
    assert_eq!(one.type_name(), other.type_name());
    assert_eq!(one.state_key(), other.state_key());
    assert_eq!(one.sender(), other.sender());
    assert_eq!(one.origin_server_ts(), other.origin_server_ts());
    assert_eq!(one.depth(), other.depth());
    assert_eq!(one.prev_events(), other.prev_events());
    assert_eq!(one.auth_events(), other.auth_events());
    assert_eq!(one.redacts(), other.redacts());
    assert_eq!(one.membership(), other.membership());
    assert_eq!(one.content().get(), other.content().get());
    assert_eq!(one.json(), other.json());
    assert_eq!(one.reference(), other.reference());
    assert_eq!(one.facts(), other.facts());
}

/// The forms that clients see, and rules: JSON that says what the event says.
fn check_shown(event: &Pdu) {
    let text = ClientFragment::new(event).to_text(Some(event.room_id()), Some("{}"));
    let shown: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(shown["type"], event.type_name());
    assert_eq!(shown["event_id"], event.event_id().as_str());
    assert_eq!(shown["room_id"], event.room_id().as_str());
    assert_eq!(shown["sender"], event.sender().as_str());
    assert_eq!(shown["state_key"].as_str(), event.state_key());
    assert!(shown["content"].is_object() && shown["unsigned"].is_object());
    let stripped: Value = serde_json::from_str(&stripped(event)).unwrap();
    assert_eq!(stripped["type"], event.type_name());
    PushEvent::new(event);
}

/// Stored bytes are believed to be canonical; if they are not, nothing panics all the same.
fn read_as_stored(text: &str, rules: &RoomVersionRules) {
    let id = ruma::owned_event_id!("$acR1l0raoZnm60CBwAVgqbZqoO_mYU81xysh1u7XcJk");
    let Ok(event) = Pdu::from_stored(text, id, rules) else {
        return;
    };
    event.facts();
    stripped(&event);
    // Rules are for events that were checked when they came; ruma takes them for JSON that every
    // parser reads, to half a surrogate.
    if serde_json::from_str::<Value>(text).is_ok() {
        PushEvent::new(&event);
    }
    if let Ok(redacted) = redact(&event, rules) {
        assert_same(&redacted, &redact(&redacted, rules).unwrap());
        check_shown(&redacted);
    }
}

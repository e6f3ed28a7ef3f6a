//! Vectors computed by another implementation (`vectors/events.py`), limits, and properties.

use proptest::{
    prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest},
    test_runner::Config,
};
use ruma::{
    CanonicalJsonObject, OwnedEventId, OwnedRoomId, RoomVersionId,
    room_version_rules::RoomVersionRules,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{BuildError, EventDraft, EventFacts, EventRef, Links, MAX_PDU_BYTES, Pdu, Relation};
use crate::{
    ids::ClearTextRefusal,
    json::JsonRefusal,
    redaction::redact,
    test_room::{TestRoom, VERSIONS, alice, object},
    time::Timestamp,
};

#[derive(Deserialize)]
struct Vector {
    version: RoomVersionId,
    #[serde(rename = "type")]
    event_type: String,
    state_key: Option<String>,
    json: String,
    event_id: OwnedEventId,
    reference_hash: String,
    redacted_content: String,
}

fn vectors() -> Vec<Vector> {
    serde_json::from_str(include_str!("../../vectors/events.json")).unwrap()
}

const PREV_HASH: &str = "acR1l0raoZnm60CBwAVgqbZqoO/mYU81xysh1u7XcJk";

// The draft and links from which the event of the vector must come out again.
fn draft_of(vector: &Vector, rules: &RoomVersionRules) -> (EventDraft, Links) {
    let mut fields: CanonicalJsonObject = serde_json::from_str(&vector.json).unwrap();
    let mut content = fields
        .remove("content")
        .unwrap()
        .as_object()
        .unwrap()
        .clone();
    let redacts = fields
        .remove("redacts")
        .or_else(|| content.remove("redacts"));
    let draft = EventDraft {
        event_type: vector.event_type.clone(),
        state_key: vector.state_key.clone(),
        content,
        sender: alice().to_owned(),
        origin_server_ts: Timestamp::from_millis(1_700_000_000_000),
        redacts: redacts.map(|id| OwnedEventId::try_from(id.as_str().unwrap()).unwrap()),
        room_id: fields
            .get("room_id")
            .map(|id| OwnedRoomId::try_from(id.as_str().unwrap()).unwrap()),
    };
    let is_create = vector.event_type == "m.room.create";
    let old = rules.event_format.require_event_id;
    let reference = EventRef {
        event_id: OwnedEventId::try_from(match old {
            true => "$prev:example.org".to_owned(),
            false => format!("${PREV_HASH}"),
        })
        .unwrap(),
        reference_hash: old.then(|| PREV_HASH.into()),
    };
    let references = if is_create { vec![] } else { vec![reference] };
    let links = Links {
        prev_events: references.clone(),
        auth_events: references,
        depth: if is_create { 1 } else { 7 },
        local_id: Some("local".to_owned()),
    };
    (draft, links)
}

#[test]
fn linking_gives_the_bytes_hashes_and_ids_of_the_vectors() {
    for vector in vectors() {
        let name = format!("{} in version {}", vector.event_type, vector.version);
        let rules = vector.version.rules().unwrap();
        let (draft, links) = draft_of(&vector, &rules);
        let event = draft.link(links, &rules).unwrap();
        assert_eq!(&**event.json(), vector.json, "{name}");
        assert_eq!(event.event_id(), vector.event_id, "{name}");
        let old = rules.event_format.require_event_id;
        let hash = event.reference().reference_hash;
        assert_eq!(
            hash.as_deref(),
            old.then_some(&*vector.reference_hash),
            "{name}"
        );
    }
}

#[test]
fn a_stored_event_is_read_back_as_it_was_linked() {
    for vector in vectors() {
        let rules = vector.version.rules().unwrap();
        let (draft, links) = draft_of(&vector, &rules);
        let linked = draft.link(links, &rules).unwrap();
        let stored = Pdu::from_stored(&*vector.json, vector.event_id.clone(), &rules).unwrap();
        assert_eq!(format!("{linked:?}"), format!("{stored:?}"));
    }
}

#[test]
fn redaction_keeps_what_the_vectors_say_and_never_changes_the_id() {
    for vector in vectors() {
        let name = format!("{} in version {}", vector.event_type, vector.version);
        let rules = vector.version.rules().unwrap();
        let event = Pdu::from_stored(&*vector.json, vector.event_id.clone(), &rules).unwrap();
        let redacted = redact(&event, &rules).unwrap();
        assert_eq!(redacted.content().get(), vector.redacted_content, "{name}");
        let object: CanonicalJsonObject = serde_json::from_str(redacted.json()).unwrap();
        let hash = ruma::signatures::reference_hash(&object, &rules).unwrap();
        assert_eq!(hash, vector.reference_hash, "{name}");
        assert_eq!(redacted.room_id(), event.room_id(), "{name}");
        let twice = redact(&redacted, &rules).unwrap();
        assert_eq!(twice.json(), redacted.json(), "{name}");
    }
}

#[test]
fn a_room_of_version_12_is_named_after_its_create_event() {
    let room = TestRoom::new(&RoomVersionId::V12);
    let create = room.get("m.room.create", "");
    assert_eq!(
        create.room_id().as_str()[1..],
        create.event_id().as_str()[1..]
    );
    assert!(!create.json().contains("room_id"));
    let join = room.get("m.room.member", alice().as_str());
    assert_eq!(join.room_id(), create.room_id());
    assert!(join.auth_events().is_empty());
}

fn message(body: &str) -> EventDraft {
    EventDraft {
        event_type: "m.room.message".to_owned(),
        state_key: None,
        content: object(json!({ "body": body })),
        sender: alice().to_owned(),
        origin_server_ts: Timestamp::from_millis(0),
        redacts: None,
        room_id: Some(OwnedRoomId::try_from("!room:example.org").unwrap()),
    }
}

fn link(draft: EventDraft) -> Result<Pdu, BuildError> {
    draft.link(Links::default(), &RoomVersionRules::V11)
}

#[test]
fn an_event_with_room_for_its_signature_is_the_largest() {
    let overhead = link(message("")).unwrap().json().len();
    let longest = MAX_PDU_BYTES - 512 - overhead;
    link(message(&"a".repeat(longest))).unwrap();
    for size in [longest + 1, MAX_PDU_BYTES, 10 * MAX_PDU_BYTES] {
        let refusal = link(message(&"a".repeat(size))).unwrap_err();
        assert_eq!(refusal, BuildError::TooLarge);
    }
}

#[test]
fn type_and_state_key_are_bounded_and_free_of_nul() {
    let with = |event_type: &str, state_key: &str| {
        let mut draft = message("");
        draft.event_type = event_type.to_owned();
        draft.state_key = Some(state_key.to_owned());
        link(draft)
    };
    let longest = "x".repeat(255);
    with(&longest, &longest).unwrap();
    let too_long = "ü".repeat(128);
    for (event_type, state_key, expected) in [
        (&*too_long, "", "type"),
        ("a", &*too_long, "state key"),
        ("a\0", "", "type"),
        ("a", "\0", "state key"),
    ] {
        let refusal = with(event_type, state_key).unwrap_err();
        assert!(matches!(refusal, BuildError::Field { field, .. } if field == expected));
    }
    assert_eq!(
        with("a", "\0").unwrap_err(),
        BuildError::Field {
            field: "state key",
            refusal: ClearTextRefusal::Nul
        }
    );
}

#[test]
fn content_that_nests_too_deep_is_refused() {
    let nested = |levels: usize| {
        let mut draft = message("");
        let value = (1..levels).fold(json!(1), |inner, _| json!({ "a": inner }));
        draft.content = object(json!({ "a": value }));
        link(draft)
    };
    nested(100).unwrap();
    assert!(matches!(
        nested(101).unwrap_err(),
        BuildError::Content(JsonRefusal::TooDeep { .. })
    ));
}

#[test]
fn drafts_that_contradict_their_room_version_are_refused() {
    let mut create = message("");
    create.event_type = "m.room.create".to_owned();
    let v12 = create
        .clone()
        .link(Links::default(), &RoomVersionRules::V12);
    assert!(matches!(v12, Err(BuildError::Inconsistent(_))));
    create.room_id = None;
    assert!(matches!(link(create), Err(BuildError::Inconsistent(_))));
    let v1 = message("").link(Links::default(), &RoomVersionRules::V1);
    assert!(matches!(v1, Err(BuildError::Inconsistent(_))));
    let mut early = message("");
    early.origin_server_ts = Timestamp::from_millis(-1);
    assert!(matches!(link(early), Err(BuildError::Inconsistent(_))));
}

#[test]
fn the_create_event_is_no_auth_event_in_version_12() {
    let room = TestRoom::new(&RoomVersionId::V12);
    let create = room.get("m.room.create", "");
    let mut draft = message("");
    draft.room_id = Some(create.room_id().to_owned());
    let links = Links {
        auth_events: vec![create.reference()],
        ..Links::default()
    };
    let refusal = draft.link(links, &RoomVersionRules::V12).unwrap_err();
    assert!(matches!(refusal, BuildError::Inconsistent(_)));
}

#[test]
fn types_with_two_names_keep_the_one_they_were_sent_with() {
    let mut draft = message("");
    draft.event_type = "org.matrix.msc3672.beacon_info".to_owned();
    draft.state_key = Some("@alice:example.org".to_owned());
    let event = link(draft).unwrap();
    assert_eq!(
        event.state_slot().unwrap().0,
        "org.matrix.msc3672.beacon_info"
    );
}

#[test]
fn facts_are_bounded_and_one_odd_field_does_not_hide_the_others() {
    let facts = |content: Value| {
        let mut draft = message("");
        draft.content = object(content);
        link(draft).unwrap().facts()
    };
    let relation = json!({ "rel_type": "m.annotation", "event_id": "$e", "key": "👍" });
    assert_eq!(
        facts(json!({ "url": "mxc://a/b", "m.relates_to": relation })),
        EventFacts {
            relation: Some(Relation {
                rel_type: "m.annotation".to_owned(),
                event_id: OwnedEventId::try_from("$e").unwrap(),
                key: Some("👍".to_owned()),
            }),
            has_url: true,
        }
    );
    assert!(facts(json!({ "url": "x", "m.relates_to": [1] })).has_url);
    let long = "x".repeat(256);
    for relates_to in [
        json!({ "rel_type": long, "event_id": "$e" }),
        json!({ "rel_type": "m.thread", "event_id": "e" }),
        json!({ "rel_type": "m.th\0read", "event_id": "$e" }),
        json!({ "m.in_reply_to": { "event_id": "$e" } }),
    ] {
        assert_eq!(
            facts(json!({ "m.relates_to": relates_to })),
            EventFacts::default()
        );
    }
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-9_007_199_254_740_991i64..=9_007_199_254_740_991).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map(any::<String>(), inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(Config::with_cases(128))]

    #[test]
    fn any_bytes_are_read_as_an_event_without_a_panic(text in any::<String>(), version in 0usize..12) {
        let rules = VERSIONS[version].rules().unwrap();
        let _ = Pdu::from_stored(text, OwnedEventId::try_from("$e").unwrap(), &rules);
    }

    #[test]
    fn almost_an_event_is_read_without_a_panic(field in 0usize..10, value in json_value(), version in 0usize..12) {
        let fields = ["type", "sender", "room_id", "state_key", "origin_server_ts", "depth", "prev_events", "auth_events", "redacts", "content"];
        let rules = VERSIONS[version].rules().unwrap();
        let mut event = json!({
            "type": "m.room.redaction", "sender": "@a:b", "room_id": "!r:b", "origin_server_ts": 1,
            "depth": 1, "prev_events": [], "auth_events": [], "content": {},
        });
        event[fields[field]] = value;
        let event = Pdu::from_stored(event.to_string(), OwnedEventId::try_from("$e").unwrap(), &rules);
        if let Ok(event) = event {
            let _ = redact(&event, &rules);
            let _ = event.facts();
        }
    }

    #[test]
    fn whatever_is_linked_is_read_back_the_same(
        event_type in "[a-z.]{1,40}|m\\.room\\.(member|message|power_levels|redaction)",
        state_key in any::<Option<String>>(),
        content in proptest::collection::btree_map(any::<String>(), json_value(), 0..6),
        version in 2usize..12,
    ) {
        let rules = VERSIONS[version].rules().unwrap();
        let mut draft = message("");
        draft.event_type = event_type;
        draft.state_key = state_key;
        draft.content = object(Value::Object(content.into_iter().collect()));
        match draft.link(Links::default(), &rules) {
            Ok(linked) => {
                let stored = Pdu::from_stored(linked.json().clone(), linked.event_id().to_owned(), &rules).unwrap();
                prop_assert_eq!(format!("{linked:?}"), format!("{stored:?}"));
                let canonical = crate::json::canonical_object(linked.json(), MAX_PDU_BYTES).unwrap();
                prop_assert_eq!(crate::json::canonical_text(&canonical), &**linked.json());
            }
            Err(error) => prop_assert!(matches!(error, BuildError::Field { .. }), "{}", error),
        }
    }
}

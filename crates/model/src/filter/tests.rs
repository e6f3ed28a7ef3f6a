//! Each part of a filter, and globs against their definition.

use proptest::prelude::{any, prop_assert_eq, proptest};
use ruma::{room_id, user_id};
use serde_json::json;

use super::{EventFilter, FilterRefusal, Glob, MAX_ENTRIES, SyncFilter};

fn filter(json: serde_json::Value) -> EventFilter {
    EventFilter::parse(&json.to_string()).unwrap()
}

#[test]
fn every_part_of_a_filter_can_exclude_an_event() {
    let alice = user_id!("@alice:example.org");
    let room = room_id!("!room:example.org");
    for (json, expected) in [
        (json!({}), true),
        (json!({ "types": ["m.room.*"] }), true),
        (json!({ "types": [] }), false),
        (json!({ "types": ["m.room"] }), false),
        (
            json!({ "types": ["m.*"], "not_types": ["*.message"] }),
            false,
        ),
        (json!({ "senders": [alice] }), true),
        (json!({ "senders": ["@bob:example.org"] }), false),
        (json!({ "senders": [alice], "not_senders": [alice] }), false),
        (json!({ "rooms": [room] }), true),
        (json!({ "rooms": [] }), false),
        (json!({ "not_rooms": [room] }), false),
        (json!({ "contains_url": true }), false),
        (json!({ "contains_url": false }), true),
    ] {
        let filter = filter(json.clone());
        assert_eq!(
            filter.matches("m.room.message", alice, room, false),
            expected,
            "{json}"
        );
        assert_eq!(filter.passes_everything(), json == json!({}), "{json}");
    }
}

#[test]
fn limits_and_lazy_loading_are_read() {
    let lazy = filter(json!({ "limit": 7, "lazy_load_members": true }));
    assert_eq!(
        (
            lazy.limit,
            lazy.lazy_load_members,
            lazy.include_redundant_members
        ),
        (Some(7), true, false)
    );
    let redundant = filter(json!({ "lazy_load_members": true, "include_redundant_members": true }));
    assert!(redundant.include_redundant_members);
    assert!(!filter(json!({ "include_redundant_members": true })).lazy_load_members);
}

#[test]
fn a_sync_filter_has_all_its_parts() {
    let json = json!({
        "event_format": "federation",
        "presence": { "types": [] },
        "account_data": { "not_types": ["m.push_rules"] },
        "room": {
            "rooms": ["!a:b", "!c:d"], "not_rooms": ["!a:b"], "include_leave": true,
            "timeline": { "limit": 1 }, "state": { "lazy_load_members": true },
            "ephemeral": { "not_types": ["m.typing"] }, "account_data": { "types": ["m.tag"] },
        },
    });
    let filter = SyncFilter::parse(&json.to_string()).unwrap();
    assert!(filter.federation_format && filter.include_leave && filter.lazy_load_members());
    assert!(!filter.presence.matches_type("m.presence"));
    assert!(!filter.account_data.matches_type("m.push_rules"));
    assert!(!filter.ephemeral.matches_type("m.typing"));
    assert!(!filter.room_account_data.matches_type("m.fully_read"));
    assert_eq!(filter.timeline.limit, Some(1));
    assert!(!filter.rooms.matches(room_id!("!a:b")) && !filter.rooms.matches(room_id!("!e:f")));
    assert_eq!(
        filter.rooms.named().unwrap().collect::<Vec<_>>(),
        [room_id!("!c:d")]
    );
}

#[test]
fn bad_filters_are_refused_with_a_reason() {
    for text in [
        "",
        "[]",
        "[[]]",
        "null",
        "{\"room\":1}",
        "{\"room\":{\"timeline\":{\"limit\":-1}}}",
        "{\"presence\":{\"senders\":[\"nobody\"]}}",
    ] {
        SyncFilter::parse(text).unwrap_err();
    }
    let many = json!({ "room": { "timeline": { "types": vec!["t"; MAX_ENTRIES + 1] } } });
    let refusal = SyncFilter::parse(&many.to_string()).unwrap_err();
    assert!(matches!(refusal, FilterRefusal::TooManyEntries));
}

// The plainest definition: try every length for each star.
fn glob_by_definition(pattern: &[char], text: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(('*', rest)) => (0..=text.len()).any(|n| glob_by_definition(rest, &text[n..])),
        Some((c, rest)) => text.first() == Some(c) && glob_by_definition(rest, &text[1..]),
    }
}

proptest! {
    #[test]
    fn globs_match_as_they_are_defined(pattern in "[ab*é]{0,7}", text in "[abé]{0,9}") {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        prop_assert_eq!(
            Glob::new(&pattern).matches(&text),
            glob_by_definition(&chars(&pattern), &chars(&text))
        );
    }

    #[test]
    fn any_text_is_read_as_a_filter_without_a_panic(text in any::<String>()) {
        let _ = SyncFilter::parse(&text);
    }

    #[test]
    fn a_filter_that_is_written_out_and_read_again_selects_the_same(
        types in proptest::option::of(proptest::collection::vec("[a-c.*]{0,5}", 0..4)),
        not_types in proptest::collection::vec("[a-c.*]{0,5}", 0..3),
        limit in proptest::option::of(0u32..100),
        event_type in "[a-c.]{0,5}",
    ) {
        let definition: ruma::api::client::filter::RoomEventFilter = serde_json::from_value(json!({
            "not_types": not_types, "limit": limit, "types": types,
        })).unwrap();
        let compiled = EventFilter::compile(&definition).unwrap();
        let again = EventFilter::parse(&serde_json::to_string(&definition).unwrap()).unwrap();
        prop_assert_eq!(compiled.matches_type(&event_type), again.matches_type(&event_type));
        prop_assert_eq!(compiled.limit, again.limit);
    }
}

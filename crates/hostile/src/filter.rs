//! Filters: what passes, told by the compiled filter and by its words.

use model::filter::{EventFields, EventFilter, SyncFilter};
use ruma::{OwnedUserId, RoomId, UserId, room_id, user_id};
use serde_json::{Value, json};

use crate::text::first_line;

/// The first line is the type of an event and its sender, with a space between; the rest is the
/// JSON of a filter.
///
/// Nothing panics, what is taken reads back as the same filter, and each part of a filter lets
/// pass exactly what its words say.
pub fn filter(data: &[u8]) {
    let (line, text) = first_line(data);
    let (Ok(line), Ok(text)) = (std::str::from_utf8(line), std::str::from_utf8(text)) else {
        return;
    };
    let (event_type, sender) = line.rsplit_once(' ').unwrap_or((line, ""));
    let sender = OwnedUserId::try_from(sender);
    let sender = sender.unwrap_or_else(|_| user_id!("@alice:example.org").to_owned());
    if let Ok(filter) = EventFilter::parse(text)
        && let Ok(words) = serde_json::from_str::<Value>(text)
    {
        check(&filter, &words, event_type, &sender);
    }
    // What the parser skips may be no JSON to others: bodies are checked before, and the filter of a
    // query is not kept.
    let (Ok(filter), Ok(words)) = (SyncFilter::parse(text), serde_json::from_str::<Value>(text))
    else {
        return;
    };
    let room = &words["room"];
    check(&filter.timeline, &room["timeline"], event_type, &sender);
    check(&filter.state, &room["state"], event_type, &sender);
    check(&filter.ephemeral, &room["ephemeral"], event_type, &sender);
    let account_data = &room["account_data"];
    check(&filter.room_account_data, account_data, event_type, &sender);
    check(&filter.presence, &words["presence"], event_type, &sender);
    let account_data = &words["account_data"];
    check(&filter.account_data, account_data, event_type, &sender);
    if let Some(fields) = &filter.event_fields {
        check_fields(fields, &words, event_type);
    }
    for place in rooms() {
        let passes = filter.rooms.matches(place);
        assert_eq!(passes, lets_pass(room, "rooms", place.as_str(), is_equal));
        if let Some(mut named) = filter.rooms.named() {
            assert_eq!(passes, named.any(|named| named == place));
        }
    }
}

fn rooms() -> [&'static RoomId; 2] {
    [room_id!("!room:example.org"), room_id!("!other")]
}

/// What is selected of an event is a part of it, and of that everything is selected again.
fn check_fields(fields: &EventFields, words: &Value, event_type: &str) {
    let whole = json!({ "type": event_type, "content": words, "unsigned": words });
    let read = |text: &str| serde_json::from_str::<Value>(text).expect("a selection is JSON");
    let part = read(&fields.select(&whole.to_string()));
    assert!(is_part(&part, &whole), "{part}");
    assert_eq!(part["type"], event_type);
    assert_eq!(read(&fields.select(&part.to_string())), part);
}

fn is_part(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => {
            let mut members = part.iter();
            members.all(|(name, part)| whole.get(name).is_some_and(|whole| is_part(part, whole)))
        }
        (part, whole) => part == whole,
    }
}

fn check(filter: &EventFilter, words: &Value, event_type: &str, sender: &UserId) {
    let of_type = lets_pass(words, "types", event_type, fits);
    assert_eq!(filter.matches_type(event_type), of_type, "{event_type}");
    let of_sender = lets_pass(words, "senders", sender.as_str(), is_equal);
    assert_eq!(filter.matches_sender(sender), of_sender, "{sender}");
    for room in rooms() {
        for has_url in [false, true] {
            let passes = filter.matches(event_type, sender, room, has_url);
            assert!(passes || !filter.passes_everything());
            assert!(!passes || (of_type && of_sender && filter.matches_room(room)));
        }
    }
}

/// What the lists `name` and `not_…` say of a text. Exclusion beats inclusion.
fn lets_pass(words: &Value, name: &str, text: &str, fits: fn(&str, &str) -> bool) -> bool {
    let among = |list: &Vec<Value>| {
        let mut entries = list.iter().filter_map(Value::as_str);
        entries.any(|entry| fits(entry, text))
    };
    let excluded = words[format!("not_{name}")].as_array().is_some_and(among);
    !excluded && words[name].as_array().is_none_or(among)
}

fn is_equal(entry: &str, text: &str) -> bool {
    entry == text
}

/// Whether a pattern with `*` fits a text: the plain way, a row of a table for each character.
fn fits(pattern: &str, text: &str) -> bool {
    let mut row = vec![false; text.len() + 1];
    row[0] = true;
    for wanted in pattern.bytes() {
        let mut next = vec![false; text.len() + 1];
        next[0] = row[0] && wanted == b'*';
        for (at, byte) in text.bytes().enumerate() {
            next[at + 1] = match wanted {
                b'*' => row[at + 1] || next[at],
                _ => row[at] && wanted == byte,
            };
        }
        row = next;
    }
    row[text.len()]
}

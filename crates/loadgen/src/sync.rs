//! What a sync is asked, and what its answer holds.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::matrix::{escaped, text};

/// How many members of a room a sync tells of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Members {
    All,
    /// Those who are needed to show the timeline.
    Lazy,
}

/// A filter: so many events of each room, and nobody's presence, typing or receipts.
pub(crate) fn filter(timeline: usize, members: Members) -> String {
    let lazy = members == Members::Lazy;
    let filter = json!({
        "presence": { "not_types": ["*"] },
        "room": {
            "timeline": { "limit": timeline, "lazy_load_members": lazy },
            "state": { "lazy_load_members": lazy },
            "ephemeral": { "not_types": ["*"] },
        },
    });
    filter.to_string()
}

/// The path of a sync by somebody who stays offline, so that nobody hears of their coming.
pub(crate) fn path(filter: &str, since: Option<&str>, timeout_ms: u128) -> String {
    let filter = escaped(filter);
    let path = format!("/_matrix/client/v3/sync?set_presence=offline&filter={filter}");
    let since = since.map(|since| format!("&since={}", escaped(since)));
    format!("{path}&timeout={timeout_ms}{}", since.unwrap_or_default())
}

/// The token to go on with.
pub(crate) fn next_batch(answer: &Value) -> Result<String> {
    text(answer, "next_batch")
}

/// The rooms that the reader is in, with what is told of each.
pub(crate) fn joined(answer: &Value) -> impl Iterator<Item = (&String, &Value)> {
    answer["rooms"]["join"].as_object().into_iter().flatten()
}

/// The ids of the messages in the timeline of a room.
pub(crate) fn messages(room: &Value) -> Result<Vec<String>> {
    let messages = events(&room["timeline"]).filter(|event| event["type"] == "m.room.message");
    messages.map(|event| text(event, "event_id")).collect()
}

/// Who is in a room, by its state and its timeline: whoever is named twice stands there twice.
pub(crate) fn members(room: &Value) -> Result<Vec<String>> {
    let all = events(&room["state"]).chain(events(&room["timeline"]));
    let members = all.filter(|event| event["type"] == "m.room.member");
    members
        .map(|event| {
            let who = text(event, "state_key")?;
            let joined = event["content"]["membership"] == "join";
            ensure!(joined, "{who} has not joined");
            Ok(who)
        })
        .collect()
}

fn events(part: &Value) -> impl Iterator<Item = &Value> {
    part["events"].as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(who: &str, membership: &str) -> Value {
        json!({
            "type": "m.room.member",
            "event_id": format!("$of-{who}"),
            "state_key": who,
            "content": { "membership": membership },
        })
    }

    #[test]
    fn a_path_has_what_is_asked_and_no_more() {
        let first = path("{}", None, 0);
        let start = "/_matrix/client/v3/sync?set_presence=offline&filter=%7B%7D&timeout=";
        assert_eq!(first, format!("{start}0"));
        assert_eq!(
            path("{}", Some("s1_2/3"), 30_000),
            format!("{start}30000&since=s1_2%2F3")
        );
    }

    #[test]
    fn members_and_messages_come_from_where_they_stand() {
        let message = json!({ "type": "m.room.message", "event_id": "$hello" });
        let room = json!({
            "state": { "events": [member("@a:x", "join"), { "type": "m.room.name" }] },
            "timeline": { "events": [member("@b:x", "join"), message] },
        });
        assert_eq!(messages(&room).unwrap(), ["$hello"]);
        assert_eq!(members(&room).unwrap(), ["@a:x", "@b:x"]);
        let gone = json!({ "timeline": { "events": [member("@c:x", "leave")] } });
        assert!(members(&gone).is_err());
        assert!(
            messages(&json!({ "timeline": { "events": [{ "type": "m.room.message" }] } })).is_err()
        );
    }

    #[test]
    fn an_answer_without_news_has_no_rooms() {
        let quiet = json!({ "next_batch": "s2" });
        assert_eq!(joined(&quiet).count(), 0);
        assert_eq!(next_batch(&quiet).unwrap(), "s2");
        assert!(next_batch(&json!({})).is_err());
    }
}

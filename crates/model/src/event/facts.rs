//! What queries need to know of an event's content, and what is therefore kept in clear.

use ruma::OwnedEventId;
use serde::Deserialize;

use super::{EventDraft, Pdu};
use crate::ids::{MAX_ID_BYTES, bounded_clear};

/// The parts of a content that go into columns in clear; all bounded and free of NUL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFacts {
    /// The relation to another event, when the content has a well-formed one.
    pub relation: Option<Relation>,
    /// Whether the content has a `url`, as filters ask.
    pub has_url: bool,
}

/// How an event relates to another ([`m.relates_to`]).
///
/// [`m.relates_to`]: https://spec.matrix.org/v1.19/client-server-api/#forming-relationships-between-events
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// The kind, such as `m.annotation`, `m.replace` or `m.thread`.
    pub rel_type: String,
    /// The event related to.
    pub event_id: OwnedEventId,
    /// What an annotation says; two by one sender with the same key are duplicates. It goes into
    /// no column, so it is as long as it is.
    pub key: Option<String>,
}

// Each field is read as any JSON value, so that one odd field does not hide the others.
#[derive(Deserialize)]
struct Content {
    #[serde(default)]
    url: serde_json::Value,
    #[serde(rename = "m.relates_to", default)]
    relates_to: serde_json::Value,
}

impl Pdu {
    /// Reads the facts from the content; a state event has no relation.
    pub fn facts(&self) -> EventFacts {
        let Ok(content) = self.content_as::<Content>() else {
            return EventFacts::default();
        };
        EventFacts {
            relation: match self.state_key() {
                None => relation(&content.relates_to),
                Some(_) => None,
            },
            has_url: content.url.is_string(),
        }
    }
}

impl EventDraft {
    /// The relation that the event will have.
    pub fn relation(&self) -> Option<Relation> {
        let relates_to = self.content.get("m.relates_to")?;
        if self.state_key.is_some() {
            return None;
        }
        relation(&serde_json::Value::from(relates_to.clone()))
    }
}

fn relation(relates_to: &serde_json::Value) -> Option<Relation> {
    let text = |field: &str| {
        let text = relates_to.get(field)?.as_str()?;
        bounded_clear(text, MAX_ID_BYTES).ok().map(str::to_owned)
    };
    Some(Relation {
        rel_type: text("rel_type")?,
        event_id: OwnedEventId::try_from(text("event_id")?).ok()?,
        key: relates_to["key"].as_str().map(str::to_owned),
    })
}

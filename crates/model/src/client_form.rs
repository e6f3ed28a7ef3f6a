//! The form clients see: made once per event, then spliced into every response.

#[cfg(test)]
mod tests;

use ruma::{CanonicalJsonObject, CanonicalJsonValue, EventId, RoomId, events::TimelineEventType};
use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::value::RawValue;

use crate::{
    event::Pdu,
    json::{canonical_text, push_string},
};

/// An event in the [client format] with an open tail: all but `room_id`, `unsigned` and the brace.
///
/// [client format]: https://spec.matrix.org/v1.19/client-server-api/#room-event-format
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientFragment(Box<str>);

/// What a reader is told beside the event ([`unsigned`]).
///
/// [`unsigned`]: https://spec.matrix.org/v1.19/client-server-api/#definition-clientevent_unsigneddata
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Unsigned<'a> {
    /// Milliseconds since the event was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age: Option<i64>,
    /// The reader's membership at the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub membership: Option<&'a str>,
    /// The content the state had before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prev_content: Option<&'a RawValue>,
    /// The redaction, as a whole client event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redacted_because: Option<&'a RawValue>,
    /// Events that relate to this one, bundled.
    #[serde(rename = "m.relations", skip_serializing_if = "Option::is_none")]
    pub relations: Option<&'a RawValue>,
    /// The state event that this one replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaces_state: Option<&'a EventId>,
    /// The id the sending device gave, for that device alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<&'a str>,
    /// The delay id of an event that was scheduled, for its sender alone ([MSC4140]).
    ///
    /// [MSC4140]: https://github.com/matrix-org/matrix-spec-proposals/pull/4140
    #[serde(
        rename = "org.matrix.msc4140.delay_id",
        skip_serializing_if = "Option::is_none"
    )]
    pub delay_id: Option<&'a str>,
}

impl Unsigned<'_> {
    /// The JSON object, or nothing when there is nothing to tell.
    pub fn to_json(&self) -> Option<String> {
        let json = serde_json::to_string(self).expect("the fields are plain JSON");
        (json != "{}").then_some(json)
    }
}

impl ClientFragment {
    /// Prepares the fragment of `pdu`.
    ///
    /// A redaction names its target at the top level *and* in its content, so that [older and newer
    /// clients] find it in every room version.
    ///
    /// [older and newer clients]: https://spec.matrix.org/v1.19/client-server-api/#mroomredaction
    pub fn new(pdu: &Pdu) -> Self {
        let redacts = pdu.redacts().map(EventId::as_str);
        let content = pdu.content().get();
        let mut out = String::with_capacity(content.len() + 256);
        out.push_str(r#"{"content":"#);
        match redacts {
            Some(redacts) => out.push_str(&content_with_redacts(content, redacts)),
            None => out.push_str(content),
        }
        push_field(&mut out, "event_id", pdu.event_id().as_str());
        out.push_str(&format!(
            r#","origin_server_ts":{}"#,
            pdu.origin_server_ts().as_millis()
        ));
        if let Some(redacts) = redacts {
            push_field(&mut out, "redacts", redacts);
        }
        push_field(&mut out, "sender", pdu.sender().as_str());
        if let Some(state_key) = pdu.state_key() {
            push_field(&mut out, "state_key", state_key);
        }
        push_field(&mut out, "type", pdu.type_name());
        Self(out.into())
    }

    /// The fragment, without a closing brace.
    pub fn open_text(&self) -> &str {
        &self.0
    }

    /// Appends the whole event to `out`.
    ///
    /// `room_id` is given where the response does not say it elsewhere; `unsigned` is a JSON object.
    pub fn splice(&self, out: &mut String, room_id: Option<&RoomId>, unsigned: Option<&str>) {
        out.push_str(&self.0);
        if let Some(room_id) = room_id {
            push_field(out, "room_id", room_id.as_str());
        }
        if let Some(unsigned) = unsigned {
            out.push_str(r#","unsigned":"#);
            out.push_str(unsigned);
        }
        out.push('}');
    }

    /// The whole event as a text of its own.
    pub fn to_text(&self, room_id: Option<&RoomId>, unsigned: Option<&str>) -> String {
        let mut out = String::with_capacity(self.0.len() + 128);
        self.splice(&mut out, room_id, unsigned);
        out
    }
}

/// An event as servers exchange it, beside which a client is told its id and what else a reader
/// is told; `unsigned` is a JSON object. It has no signatures: those are made when an event leaves
/// this deployment for another.
pub fn federation_text(pdu: &Pdu, unsigned: Option<&str>) -> String {
    #[derive(Deserialize)]
    struct Named {
        event_id: Option<IgnoredAny>,
    }
    let json = pdu.json();
    let mut out = String::with_capacity(json.len() + 256);
    out.push_str(json.strip_suffix('}').unwrap_or(json));
    // Events of old room versions say their id themselves.
    let named = serde_json::from_str(json);
    if named.is_ok_and(|named: Named| named.event_id.is_none()) {
        push_field(&mut out, "event_id", pdu.event_id().as_str());
    }
    if let Some(unsigned) = unsigned {
        out.push_str(r#","unsigned":"#);
        out.push_str(unsigned);
    }
    out.push('}');
    out
}

/// The [stripped form] of a state event, for people who are not (yet) in the room.
///
/// [stripped form]: https://spec.matrix.org/v1.19/client-server-api/#stripped-state
pub fn stripped(pdu: &Pdu) -> String {
    let content = pdu.content().get();
    let mut out = String::with_capacity(content.len() + 128);
    out.push_str(r#"{"content":"#);
    out.push_str(content);
    push_field(&mut out, "sender", pdu.sender().as_str());
    push_field(&mut out, "state_key", pdu.state_key().unwrap_or_default());
    push_field(&mut out, "type", pdu.type_name());
    out.push('}');
    out
}

/// Whether the state event belongs to the [stripped state] that invitations and knocks carry.
///
/// [stripped state]: https://spec.matrix.org/v1.19/client-server-api/#stripped-state
pub fn is_in_stripped_state(event_type: &TimelineEventType) -> bool {
    matches!(
        event_type,
        TimelineEventType::RoomCreate
            | TimelineEventType::RoomName
            | TimelineEventType::RoomAvatar
            | TimelineEventType::RoomTopic
            | TimelineEventType::RoomJoinRules
            | TimelineEventType::RoomCanonicalAlias
            | TimelineEventType::RoomEncryption
    )
}

fn push_field(out: &mut String, name: &str, text: &str) {
    out.push_str(",\"");
    out.push_str(name);
    out.push_str("\":");
    push_string(out, text);
}

fn content_with_redacts(content: &str, redacts: &str) -> String {
    let mut object: CanonicalJsonObject = match serde_json::from_str(content) {
        Ok(object) => object,
        Err(_) => return content.to_owned(),
    };
    object.insert("redacts".to_owned(), CanonicalJsonValue::from(redacts));
    canonical_text(&object)
}

//! From the stored bytes to a [`Pdu`]: one pass over the JSON.

use std::{borrow::Cow, sync::Arc};

use ruma::{
    CanonicalJsonObject, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, UInt,
    events::{TimelineEventType, room::member::MembershipState},
    room_version_rules::{EventsReferenceFormatVersion, RoomVersionRules},
    signatures::reference_hash,
};
use serde::{Deserialize, Deserializer, de::IgnoredAny};
use serde_json::value::RawValue;

use super::Pdu;

/// Why bytes are not an event of their room version.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// The bytes are not JSON, or a field is missing or has the wrong type.
    #[error("the event cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// The fields are there but do not fit the room version.
    #[error("the event does not fit its room version: {0}")]
    Version(&'static str),
}

#[derive(Deserialize)]
struct Header<'a> {
    #[serde(rename = "type", borrow)]
    event_type: Cow<'a, str>,
    sender: OwnedUserId,
    #[serde(default)]
    room_id: Option<OwnedRoomId>,
    #[serde(default, deserialize_with = "present")]
    state_key: Option<Box<str>>,
    origin_server_ts: UInt,
    depth: UInt,
    prev_events: Vec<Reference>,
    auth_events: Vec<Reference>,
    #[serde(default)]
    redacts: Option<serde_json::Value>,
    #[serde(borrow)]
    content: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Reference {
    Id(OwnedEventId),
    IdAndHash(OwnedEventId, IgnoredAny),
}

impl Pdu {
    /// Parses an event from its stored bytes.
    ///
    /// `json` is taken as it is: that it is canonical was ensured when it was linked.
    pub fn from_stored(
        json: impl Into<Arc<str>>,
        event_id: OwnedEventId,
        rules: &RoomVersionRules,
    ) -> Result<Self, ParseError> {
        let json = json.into();
        let header: Header<'_> = serde_json::from_str(&json)?;
        if !header.content.get().starts_with('{') {
            return Err(ParseError::Version("`content` is not an object"));
        }
        let is_create = header.event_type == "m.room.create";
        let names_its_room = !is_create || rules.event_format.require_room_create_room_id;
        let room_id = match (header.room_id, names_its_room) {
            (Some(room_id), true) => room_id,
            (None, false) => room_named_after(&event_id)?,
            (None, true) => return Err(ParseError::Version("`room_id` is missing")),
            (Some(_), false) => {
                return Err(ParseError::Version("the create event names a room"));
            }
        };
        Ok(Self {
            room_id,
            names_its_room,
            redacts: redacted_event(&header.event_type, header.redacts, header.content, rules),
            membership: membership(
                &header.event_type,
                header.state_key.as_deref(),
                header.content,
            ),
            event_type: TimelineEventType::from(&*header.event_type),
            type_name: header.event_type.into(),
            state_key: header.state_key,
            sender: header.sender,
            origin_server_ts: header.origin_server_ts,
            depth: i64::from(header.depth),
            prev_events: event_ids(header.prev_events, rules)?,
            auth_events: event_ids(header.auth_events, rules)?,
            content: header.content.to_owned(),
            reference_hash: hash_of_old_version(&json, rules)?,
            event_id,
            json,
        })
    }
}

/// The id of the room that this create event names, in room versions 12 and later.
pub(super) fn room_named_after(create_event: &OwnedEventId) -> Result<OwnedRoomId, ParseError> {
    let hash = create_event.as_str().strip_prefix('$').unwrap_or_default();
    RoomId::new_v2(hash)
        .map_err(|_| ParseError::Version("the id of the create event is not a hash"))
}

/// The membership in the content of an `m.room.member` event.
pub(super) fn membership(
    event_type: &str,
    state_key: Option<&str>,
    content: &RawValue,
) -> Option<MembershipState> {
    #[derive(Deserialize)]
    struct Content {
        membership: MembershipState,
    }
    if event_type != "m.room.member" || state_key.is_none() {
        return None;
    }
    let content: Content = serde_json::from_str(content.get()).ok()?;
    Some(content.membership)
}

fn redacted_event(
    event_type: &str,
    top_level: Option<serde_json::Value>,
    content: &RawValue,
    rules: &RoomVersionRules,
) -> Option<OwnedEventId> {
    #[derive(Deserialize)]
    struct Content {
        redacts: Option<serde_json::Value>,
    }
    if event_type != "m.room.redaction" {
        return None;
    }
    let redacts = if rules.redaction.content_field_redacts {
        serde_json::from_str::<Content>(content.get()).ok()?.redacts
    } else {
        top_level
    };
    OwnedEventId::try_from(redacts?.as_str()?).ok()
}

fn event_ids(
    references: Vec<Reference>,
    rules: &RoomVersionRules,
) -> Result<Box<[OwnedEventId]>, ParseError> {
    let with_hashes = rules.events_reference_format == EventsReferenceFormatVersion::V1;
    references
        .into_iter()
        .map(|reference| match reference {
            Reference::Id(id) if !with_hashes => Ok(id),
            Reference::IdAndHash(id, IgnoredAny) if with_hashes => Ok(id),
            _ => Err(ParseError::Version(
                "a reference to an event has another form",
            )),
        })
        .collect()
}

fn hash_of_old_version(
    json: &str,
    rules: &RoomVersionRules,
) -> Result<Option<Box<str>>, ParseError> {
    if rules.events_reference_format != EventsReferenceFormatVersion::V1 {
        return Ok(None);
    }
    let object: CanonicalJsonObject = serde_json::from_str(json)?;
    let hash = reference_hash(&object, rules)
        .map_err(|_| ParseError::Version("the event has no reference hash"))?;
    Ok(Some(hash.into()))
}

// Unlike a plain `Option`, refuses `null`: a state key is absent or a string.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<str>>, D::Error> {
    Box::<str>::deserialize(deserializer).map(Some)
}

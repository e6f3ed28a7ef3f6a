//! From what a client sends to an event of the room: [`EventDraft::link`].

use ruma::{
    CanonicalJsonObject, CanonicalJsonValue, EventId, Int, OwnedEventId, OwnedRoomId, OwnedUserId,
    UInt,
    events::TimelineEventType,
    room_version_rules::{EventIdFormatVersion, EventsReferenceFormatVersion, RoomVersionRules},
    signatures::{JsonError, add_content_hash_to_event, reference_hash},
};
use serde_json::value::{RawValue, to_raw_value};

use super::{EventRef, Pdu, stored};
use crate::{
    ids::{ClearTextRefusal, MAX_ID_BYTES, bounded_clear},
    json::{JsonRefusal, canonical_text, check_object_depth},
    time::Timestamp,
};

/// The largest event that leaves this deployment, in bytes, its signature included.
pub const MAX_PDU_BYTES: usize = 65_535;

// Signatures come later and count too: two names of 255 bytes at most, and 86 characters of base64.
const SIGNATURE_RESERVE_BYTES: usize = 512;
const MAX_PREV_EVENTS: usize = 20;
const MAX_AUTH_EVENTS: usize = 10;

/// An event before it has its place in the room.
#[derive(Debug, Clone)]
pub struct EventDraft {
    /// The type, as it is written.
    pub event_type: String,
    /// The state key, for a state event.
    pub state_key: Option<String>,
    /// The content.
    pub content: CanonicalJsonObject,
    /// Who sends it.
    pub sender: OwnedUserId,
    /// When it is sent.
    pub origin_server_ts: Timestamp,
    /// The event it redacts; goes where the room version keeps that.
    pub redacts: Option<OwnedEventId>,
    /// The room; absent only for the create event of room versions 12 and later.
    pub room_id: Option<OwnedRoomId>,
}

/// The place of an event in its room.
#[derive(Debug, Clone, Default)]
pub struct Links {
    /// The heads of the room before it.
    pub prev_events: Vec<EventRef>,
    /// The state events that permit it.
    pub auth_events: Vec<EventRef>,
    /// One more than the largest depth of `prev_events`.
    pub depth: i64,
    /// An unpredictable name, needed in room versions 1 and 2 only, where ids are not hashes.
    pub local_id: Option<String>,
}

/// Why a draft cannot become an event.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BuildError {
    /// The event is larger than [`MAX_PDU_BYTES`] with its signature.
    #[error("the event is larger than 65535 bytes")]
    TooLarge,
    /// A field is too long, or holds a NUL.
    #[error("the {field} of the event is not usable: {refusal}")]
    Field {
        /// The name of the field.
        field: &'static str,
        /// What is wrong with it.
        refusal: ClearTextRefusal,
    },
    /// The content nests too deep.
    #[error(transparent)]
    Content(#[from] JsonRefusal),
    /// The draft or its links contradict the room version: the caller's mistake, not the client's.
    #[error("the event does not fit its room version: {0}")]
    Inconsistent(&'static str),
}

impl EventDraft {
    /// Gives the draft its place in the room: builds the PDU, its content hash and its id.
    ///
    /// The result has no signatures: they are not part of the id, and are made when the event first
    /// leaves.
    pub fn link(mut self, links: Links, rules: &RoomVersionRules) -> Result<Pdu, BuildError> {
        self.place_redacts(rules);
        self.check_fields()?;
        check_object_depth(&self.content)?;
        self.check_links(&links, rules)?;
        let content = to_raw_value(&self.content)
            .expect("a canonical object has string keys and finite numbers");
        let given_id = given_event_id(&self, &links, rules)?;
        let mut object = self.take_object(&links, given_id.as_deref(), rules)?;
        add_content_hash_to_event(&mut object).map_err(hash_error)?;
        let hash = reference_hash(&object, rules).map_err(hash_error)?;
        let json = canonical_text(&object);
        if json.len() + SIGNATURE_RESERVE_BYTES > MAX_PDU_BYTES {
            return Err(BuildError::TooLarge);
        }
        let event_id = match given_id {
            Some(id) => id,
            None => EventId::new_v2_or_v3(&hash)
                .map_err(|_| BuildError::Inconsistent("the hash is not an event id"))?,
        };
        let identity = Identity {
            event_id,
            hash,
            json,
        };
        self.into_pdu(identity, content, links, rules)
    }

    fn place_redacts(&mut self, rules: &RoomVersionRules) {
        if self.event_type != "m.room.redaction" {
            self.redacts = None;
        } else if rules.redaction.content_field_redacts {
            match &self.redacts {
                Some(redacts) => {
                    let redacts = CanonicalJsonValue::from(redacts.as_str());
                    self.content.insert("redacts".to_owned(), redacts);
                }
                None => {
                    let redacts = self.content.get("redacts");
                    self.redacts = redacts
                        .and_then(CanonicalJsonValue::as_str)
                        .and_then(|id| OwnedEventId::try_from(id).ok());
                }
            }
        }
    }

    fn check_fields(&self) -> Result<(), BuildError> {
        let room_id = self.room_id.as_ref().map(|id| id.as_str());
        let redacts = self.redacts.as_ref().map(|id| id.as_str());
        let fields = [
            ("type", Some(self.event_type.as_str())),
            ("state key", self.state_key.as_deref()),
            ("sender", Some(self.sender.as_str())),
            ("room id", room_id),
            ("redacted event's id", redacts),
        ];
        for (field, text) in fields {
            bounded_clear(text.unwrap_or_default(), MAX_ID_BYTES)
                .map_err(|refusal| BuildError::Field { field, refusal })?;
        }
        Ok(())
    }

    fn check_links(&self, links: &Links, rules: &RoomVersionRules) -> Result<(), BuildError> {
        let is_create = self.event_type == "m.room.create";
        let names_its_room = !is_create || rules.event_format.require_room_create_room_id;
        if names_its_room != self.room_id.is_some() {
            return Err(BuildError::Inconsistent(if names_its_room {
                "the room id is missing"
            } else {
                "the room is named after its create event, which cannot name it"
            }));
        }
        if links.prev_events.len() > MAX_PREV_EVENTS || links.auth_events.len() > MAX_AUTH_EVENTS {
            return Err(BuildError::Inconsistent("it refers to too many events"));
        }
        let is_create_event = |event_id: &EventId| {
            let room_id = self.room_id.as_ref();
            room_id.is_some_and(|room_id| event_id.as_str().get(1..) == room_id.as_str().get(1..))
        };
        if !rules.event_format.allow_room_create_in_auth_events
            && links
                .auth_events
                .iter()
                .any(|event| is_create_event(&event.event_id))
        {
            return Err(BuildError::Inconsistent(
                "the create event cannot be among the auth events",
            ));
        }
        Ok(())
    }

    // Takes the content out of the draft: nothing reads it there afterwards.
    fn take_object(
        &mut self,
        links: &Links,
        given_id: Option<&EventId>,
        rules: &RoomVersionRules,
    ) -> Result<CanonicalJsonObject, BuildError> {
        let mut object = CanonicalJsonObject::new();
        let mut put = |field: &str, value: CanonicalJsonValue| {
            object.insert(field.to_owned(), value);
        };
        put("type", self.event_type.as_str().into());
        put("sender", self.sender.as_str().into());
        put("content", std::mem::take(&mut self.content).into());
        put(
            "origin_server_ts",
            integer(self.origin_server_ts.as_millis())?,
        );
        put("depth", integer(links.depth)?);
        put("prev_events", references(&links.prev_events, rules)?);
        put("auth_events", references(&links.auth_events, rules)?);
        if let Some(event_id) = given_id {
            put("event_id", event_id.as_str().into());
        }
        if let Some(room_id) = &self.room_id {
            put("room_id", room_id.as_str().into());
        }
        if let Some(state_key) = &self.state_key {
            put("state_key", state_key.as_str().into());
        }
        if let Some(redacts) = &self.redacts
            && !rules.redaction.content_field_redacts
        {
            put("redacts", redacts.as_str().into());
        }
        Ok(object)
    }

    fn into_pdu(
        self,
        identity: Identity,
        content: Box<RawValue>,
        links: Links,
        rules: &RoomVersionRules,
    ) -> Result<Pdu, BuildError> {
        let millis = self.origin_server_ts.as_millis();
        let names_its_room = self.room_id.is_some();
        let room_id = match self.room_id {
            Some(room_id) => room_id,
            None => stored::room_named_after(&identity.event_id)
                .map_err(|_| BuildError::Inconsistent("the hash is not a room id"))?,
        };
        let state_key = self.state_key.map(Into::into);
        let with_hashes = rules.events_reference_format == EventsReferenceFormatVersion::V1;
        Ok(Pdu {
            room_id,
            names_its_room,
            membership: stored::membership(&self.event_type, state_key.as_deref(), &content),
            event_id: identity.event_id,
            event_type: TimelineEventType::from(self.event_type.as_str()),
            type_name: self.event_type.into(),
            state_key,
            sender: self.sender,
            origin_server_ts: UInt::try_from(millis).map_err(|_| out_of_range())?,
            depth: links.depth,
            prev_events: links
                .prev_events
                .into_iter()
                .map(|event| event.event_id)
                .collect(),
            auth_events: links
                .auth_events
                .into_iter()
                .map(|event| event.event_id)
                .collect(),
            redacts: self.redacts,
            content,
            json: identity.json.into(),
            reference_hash: with_hashes.then(|| identity.hash.into()),
        })
    }
}

struct Identity {
    event_id: OwnedEventId,
    hash: String,
    json: String,
}

// Room versions 1 and 2: the server that makes the event also makes up its id.
fn given_event_id(
    draft: &EventDraft,
    links: &Links,
    rules: &RoomVersionRules,
) -> Result<Option<OwnedEventId>, BuildError> {
    if rules.event_id_format != EventIdFormatVersion::V1 {
        return Ok(None);
    }
    let Some(local_id) = &links.local_id else {
        return Err(BuildError::Inconsistent("the local id is missing"));
    };
    let id = format!("${local_id}:{}", draft.sender.server_name());
    bounded_clear(&id, MAX_ID_BYTES).map_err(|refusal| BuildError::Field {
        field: "event id",
        refusal,
    })?;
    EventId::parse(id)
        .map(Some)
        .map_err(|_| BuildError::Inconsistent("the local id is not part of an event id"))
}

fn references(
    events: &[EventRef],
    rules: &RoomVersionRules,
) -> Result<CanonicalJsonValue, BuildError> {
    let with_hashes = rules.events_reference_format == EventsReferenceFormatVersion::V1;
    let reference = |event: &EventRef| {
        let id = CanonicalJsonValue::from(event.event_id.as_str());
        match (&event.reference_hash, with_hashes) {
            (_, false) => Ok(id),
            (Some(hash), true) => {
                let hashes = [("sha256".to_owned(), CanonicalJsonValue::from(&**hash))];
                let hashes = CanonicalJsonObject::from_iter(hashes);
                Ok(CanonicalJsonValue::Array(vec![id, hashes.into()]))
            }
            (None, true) => Err(BuildError::Inconsistent(
                "a reference to an event lacks its hash",
            )),
        }
    };
    let references = events
        .iter()
        .map(reference)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(CanonicalJsonValue::Array(references))
}

fn integer(value: i64) -> Result<CanonicalJsonValue, BuildError> {
    let value = UInt::try_from(value).map_err(|_| out_of_range())?;
    Ok(CanonicalJsonValue::Integer(Int::from(value)))
}

fn out_of_range() -> BuildError {
    BuildError::Inconsistent("its time or depth is out of range")
}

fn hash_error(error: JsonError) -> BuildError {
    match error {
        JsonError::PduTooLarge => BuildError::TooLarge,
        _ => BuildError::Inconsistent("it cannot be hashed"),
    }
}

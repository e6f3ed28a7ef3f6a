//! Events: [`Pdu`], parsed once, and [`EventDraft`], which becomes one under the log's lock.

mod draft;
mod facts;
mod stored;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use ruma::{
    EventId, MilliSecondsSinceUnixEpoch, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, UInt,
    UserId,
    events::{TimelineEventType, room::member::MembershipState},
    state_res,
};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

pub use self::{
    draft::{BuildError, EventDraft, Links, MAX_PDU_BYTES},
    facts::{EventFacts, Relation},
    stored::ParseError,
};
use crate::time::Timestamp;

/// An event with its header parsed, beside the canonical bytes that are stored sealed.
///
/// It never changes: a redacted event is another [`Pdu`] with the same id.
#[derive(Debug, Clone)]
pub struct Pdu {
    event_id: OwnedEventId,
    room_id: OwnedRoomId,
    // The create event of room versions 12 and later names no room: the room is named after it.
    names_its_room: bool,
    event_type: TimelineEventType,
    type_name: Box<str>,
    state_key: Option<Box<str>>,
    sender: OwnedUserId,
    origin_server_ts: UInt,
    depth: i64,
    prev_events: Box<[OwnedEventId]>,
    auth_events: Box<[OwnedEventId]>,
    redacts: Option<OwnedEventId>,
    membership: Option<MembershipState>,
    content: Box<RawValue>,
    json: Arc<str>,
    // Kept for room versions 1 and 2 only, whose events are referred to by id and hash.
    reference_hash: Option<Box<str>>,
}

/// How one event refers to another: by id, and in room versions 1 and 2 by hash too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRef {
    /// The id of the event that is referred to.
    pub event_id: OwnedEventId,
    /// Its reference hash, needed in room versions 1 and 2 only; in others it is the id.
    pub reference_hash: Option<Box<str>>,
}

impl Pdu {
    /// The id of the event.
    pub fn event_id(&self) -> &EventId {
        &self.event_id
    }

    /// The room the event belongs to, for every event: also where the PDU itself has no `room_id`.
    pub fn room_id(&self) -> &RoomId {
        &self.room_id
    }

    /// The type, as an enum; types that `ruma` knows by two names are one value of it.
    pub fn event_type(&self) -> &TimelineEventType {
        &self.event_type
    }

    /// The type, as it is written.
    pub fn type_name(&self) -> &str {
        &self.type_name
    }

    /// The state key; an event has one exactly when it is a state event.
    pub fn state_key(&self) -> Option<&str> {
        self.state_key.as_deref()
    }

    /// The type and state key that name its place in the room's state, when it is a state event.
    pub fn state_slot(&self) -> Option<(&str, &str)> {
        Some((self.type_name(), self.state_key()?))
    }

    /// Who sent the event.
    pub fn sender(&self) -> &UserId {
        &self.sender
    }

    /// When the sender's server says it was sent. Never used to order events.
    pub fn origin_server_ts(&self) -> Timestamp {
        Timestamp::from_millis(i64::from(self.origin_server_ts))
    }

    /// How far from the create event it stands.
    pub fn depth(&self) -> i64 {
        self.depth
    }

    /// The events it follows.
    pub fn prev_events(&self) -> &[OwnedEventId] {
        &self.prev_events
    }

    /// The state events that permit it.
    pub fn auth_events(&self) -> &[OwnedEventId] {
        &self.auth_events
    }

    /// The event it redacts, from where the room version keeps that.
    pub fn redacts(&self) -> Option<&EventId> {
        self.redacts.as_deref()
    }

    /// The membership an `m.room.member` event gives to the user in its state key.
    pub fn membership(&self) -> Option<&MembershipState> {
        self.membership.as_ref()
    }

    /// The content, as JSON.
    pub fn content(&self) -> &RawValue {
        &self.content
    }

    /// The content, parsed into `T`.
    pub fn content_as<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.content.get())
    }

    /// The canonical JSON of the event without signatures: what is stored, sealed.
    pub fn json(&self) -> &Arc<str> {
        &self.json
    }

    /// How later events refer to this one.
    pub fn reference(&self) -> EventRef {
        EventRef {
            event_id: self.event_id.clone(),
            reference_hash: self.reference_hash.clone(),
        }
    }
}

impl state_res::Event for Pdu {
    type Id = OwnedEventId;

    fn event_id(&self) -> &Self::Id {
        &self.event_id
    }

    fn room_id(&self) -> Option<&RoomId> {
        self.names_its_room.then_some(&*self.room_id)
    }

    fn sender(&self) -> &UserId {
        &self.sender
    }

    fn origin_server_ts(&self) -> MilliSecondsSinceUnixEpoch {
        MilliSecondsSinceUnixEpoch(self.origin_server_ts)
    }

    fn event_type(&self) -> &TimelineEventType {
        &self.event_type
    }

    fn content(&self) -> &RawValue {
        &self.content
    }

    fn state_key(&self) -> Option<&str> {
        self.state_key.as_deref()
    }

    fn prev_events(&self) -> Box<dyn DoubleEndedIterator<Item = &Self::Id> + '_> {
        Box::new(self.prev_events.iter())
    }

    fn auth_events(&self) -> Box<dyn DoubleEndedIterator<Item = &Self::Id> + '_> {
        Box::new(self.auth_events.iter())
    }

    fn redacts(&self) -> Option<&Self::Id> {
        self.redacts.as_ref()
    }

    fn rejected(&self) -> bool {
        // An event that fails authorisation never becomes part of a room's state here.
        false
    }
}

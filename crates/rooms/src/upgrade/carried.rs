//! What an upgrade reads of the old room, and what of it goes over.

use std::sync::Arc;

use model::{
    event::Pdu,
    room_state::{RoomState, StateView},
};
use ruma::{CanonicalJsonObject, events::room::member::MembershipState};

pub(crate) const TOMBSTONE: &str = "m.room.tombstone";

/// State that goes over as it is.
pub(super) const AS_IT_IS: &[&str] = &[
    "m.room.server_acl",
    "m.room.name",
    "m.room.avatar",
    "m.room.topic",
    "m.room.guest_access",
    "m.room.history_visibility",
];

/// State that decides about the upgrade, or goes over in another form.
const ADAPTED: &[&str] = &[
    TOMBSTONE,
    "m.room.create",
    "m.room.encryption",
    "m.room.canonical_alias",
    "m.room.join_rules",
    "m.room.power_levels",
];

/// The state that an upgrade depends on, in an order of its own.
pub(crate) fn carried(state: &RoomState) -> Vec<Arc<Pdu>> {
    let slots = ADAPTED.iter().chain(AS_IT_IS);
    let mut events: Vec<_> = slots
        .filter_map(|kind| state.get(kind, "").cloned())
        .collect();
    events.extend(children(state));
    events.extend(bans(state));
    events
}

/// The children of a space, by room.
pub(super) fn children(state: &RoomState) -> Vec<Arc<Pdu>> {
    if !state.create().is_space() {
        return Vec::new();
    }
    by_key(state.of_type("m.space.child"))
}

/// Who is banned, by user.
pub(super) fn bans(state: &RoomState) -> Vec<Arc<Pdu>> {
    let bans = state.members_with(MembershipState::Ban);
    by_key(bans.map(|(user, event)| (user.as_str(), event)))
}

/// The content of a state event, if it says anything.
pub(super) fn content_of(event: &Pdu) -> Option<CanonicalJsonObject> {
    let content: CanonicalJsonObject = event.content_as().ok()?;
    (!content.is_empty()).then_some(content)
}

fn by_key<'a>(events: impl Iterator<Item = (&'a str, &'a Arc<Pdu>)>) -> Vec<Arc<Pdu>> {
    let mut events: Vec<_> = events.collect();
    events.sort_unstable_by_key(|(key, _)| *key);
    events
        .into_iter()
        .map(|(_, event)| Arc::clone(event))
        .collect()
}

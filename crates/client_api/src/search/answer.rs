//! What a search answers. Lists are there when they are empty, too: clients count on it.

use std::collections::BTreeMap;

use ruma::{
    OwnedEventId, OwnedRoomId, OwnedUserId,
    api::client::search::search_events::v3::UserProfile,
    events::{AnyStateEvent, AnyTimelineEvent},
    serde::Raw,
};
use serde::Serialize;

/// The whole answer.
#[derive(Serialize)]
pub(crate) struct Answer {
    pub(super) search_categories: Categories,
}

#[derive(Default, Serialize)]
pub(super) struct Categories {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) room_events: Option<RoomEvents>,
}

#[derive(Serialize)]
pub(super) struct RoomEvents {
    pub(super) count: u64,
    pub(super) highlights: Vec<String>,
    pub(super) results: Vec<SearchResult>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) state: Option<BTreeMap<OwnedRoomId, Vec<Raw<AnyStateEvent>>>>,
    #[serde(skip_serializing_if = "Groups::is_empty")]
    pub(super) groups: Groups,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_batch: Option<String>,
}

#[derive(Serialize)]
pub(super) struct SearchResult {
    pub(super) rank: f64,
    pub(super) result: Raw<AnyTimelineEvent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) context: Option<EventContext>,
}

#[derive(Serialize)]
pub(super) struct EventContext {
    pub(super) start: String,
    pub(super) end: String,
    pub(super) events_before: Vec<Raw<AnyTimelineEvent>>,
    pub(super) events_after: Vec<Raw<AnyTimelineEvent>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) profile_info: Option<BTreeMap<OwnedUserId, UserProfile>>,
}

/// The results by what they have in common.
#[derive(Default, Serialize)]
pub(super) struct Groups {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) room_id: Option<BTreeMap<OwnedRoomId, Group>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sender: Option<BTreeMap<OwnedUserId, Group>>,
}

#[derive(Serialize)]
pub(super) struct Group {
    /// Which group comes first: that of the first result.
    pub(super) order: usize,
    pub(super) results: Vec<OwnedEventId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_batch: Option<String>,
}

impl Groups {
    fn is_empty(&self) -> bool {
        self.room_id.is_none() && self.sender.is_none()
    }
}

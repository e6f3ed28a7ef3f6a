//! The answer of a sync, its events already in their final text.

use std::collections::BTreeMap;

use rooms::{UnreadByThread, UnreadCounts};
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};
use serde::Serialize;
use serde_json::value::RawValue;

/// An event as a client sees it, ready to be sent.
pub type ClientEvent = Box<RawValue>;

/// Everything that changed since a token.
#[derive(Debug, Default, Serialize)]
pub struct SyncResponse {
    /// Where the next sync goes on.
    pub next_batch: String,
    /// What changed in rooms.
    #[serde(skip_serializing_if = "RoomUpdates::is_empty")]
    pub rooms: RoomUpdates,
    /// Who is online.
    #[serde(skip_serializing_if = "Events::is_empty")]
    pub presence: Events,
    /// The user's own data.
    #[serde(skip_serializing_if = "Events::is_empty")]
    pub account_data: Events,
    /// Messages from device to device.
    #[serde(skip_serializing_if = "Events::is_empty")]
    pub to_device: Events,
    /// Whose devices changed.
    #[serde(skip_serializing_if = "DeviceLists::is_empty")]
    pub device_lists: DeviceLists,
    /// How many one-time keys are left, by algorithm.
    pub device_one_time_keys_count: BTreeMap<String, u64>,
    /// The algorithms whose fallback key is unused.
    pub device_unused_fallback_key_types: Vec<String>,
}

impl SyncResponse {
    /// Whether a waiting client has nothing to learn from it.
    pub fn is_empty(&self) -> bool {
        self.rooms.is_empty()
            && self.presence.is_empty()
            && self.account_data.is_empty()
            && self.to_device.is_empty()
            && self.device_lists.is_empty()
    }
}

/// A list of events.
#[derive(Debug, Default, Serialize)]
pub struct Events {
    /// The events, in order.
    pub events: Vec<ClientEvent>,
}

impl Events {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }
}

/// What changed in rooms, by the user's membership.
#[derive(Debug, Default, Serialize)]
pub struct RoomUpdates {
    /// Rooms that the user is in.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub join: BTreeMap<OwnedRoomId, JoinedRoom>,
    /// Rooms that the user is asked into.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub invite: BTreeMap<OwnedRoomId, InvitedRoom>,
    /// Rooms that the user asks to be let into.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub knock: BTreeMap<OwnedRoomId, KnockedRoom>,
    /// Rooms that the user left.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub leave: BTreeMap<OwnedRoomId, LeftRoom>,
}

impl RoomUpdates {
    fn is_empty(&self) -> bool {
        self.join.is_empty()
            && self.invite.is_empty()
            && self.knock.is_empty()
            && self.leave.is_empty()
    }
}

/// A room that the user is in.
#[derive(Debug, Default, Serialize)]
pub struct JoinedRoom {
    /// What its name is made of when it has none.
    #[serde(skip_serializing_if = "Summary::is_empty")]
    pub summary: Summary,
    /// The state that the timeline builds on, or ends with.
    #[serde(flatten)]
    pub state: RoomState,
    /// What happened.
    pub timeline: Timeline,
    /// Receipts and typing.
    #[serde(skip_serializing_if = "Events::is_empty")]
    pub ephemeral: Events,
    /// The user's own data of the room.
    #[serde(skip_serializing_if = "Events::is_empty")]
    pub account_data: Events,
    /// How much is unread.
    pub unread_notifications: UnreadCounts,
    /// How much is unread in threads, when the client counts them apart.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unread_thread_notifications: BTreeMap<OwnedEventId, UnreadCounts>,
}

impl JoinedRoom {
    /// Takes the unread counts: those of threads apart, or all as one.
    pub(crate) fn count_unread(&mut self, counted: &UnreadByThread, threads_apart: bool) {
        if threads_apart {
            self.unread_notifications = counted.main;
            self.unread_thread_notifications = counted.threads.clone();
        } else {
            self.unread_notifications = counted.all();
        }
    }

    /// Whether it says nothing new.
    pub fn is_empty(&self) -> bool {
        self.state.is_empty()
            && self.timeline.events.is_empty()
            && !self.timeline.limited
            && self.ephemeral.is_empty()
            && self.account_data.is_empty()
    }
}

/// Which state is told beside a timeline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StateAt {
    /// That of its beginning: what happens in the timeline changes it.
    #[default]
    Start,
    /// That of its end, whatever the timeline shows.
    End,
    /// The same, for clients that know it by the name that it had before it was specified.
    EndByEarlyName,
}

/// The state beside a timeline, under the name that says which it is.
#[derive(Debug, Serialize)]
pub enum RoomState {
    /// Of the beginning.
    #[serde(rename = "state")]
    Before(Events),
    /// Of the end.
    #[serde(rename = "state_after")]
    After(Events),
    /// Of the end, by its early name.
    #[serde(rename = "org.matrix.msc4222.state_after")]
    AfterByEarlyName(Events),
}

impl StateAt {
    /// State, under its name.
    pub(crate) fn tell(self, events: Events) -> RoomState {
        match self {
            Self::Start => RoomState::Before(events),
            Self::End => RoomState::After(events),
            Self::EndByEarlyName => RoomState::AfterByEarlyName(events),
        }
    }
}

impl RoomState {
    fn is_empty(&self) -> bool {
        let (Self::Before(events) | Self::After(events) | Self::AfterByEarlyName(events)) = self;
        events.is_empty()
    }
}

impl Default for RoomState {
    fn default() -> Self {
        Self::Before(Events::default())
    }
}

/// A part of a timeline, oldest event first.
#[derive(Debug, Default, Serialize)]
pub struct Timeline {
    /// The events.
    pub events: Vec<ClientEvent>,
    /// Whether events before these are missing.
    pub limited: bool,
    /// Where reading backwards goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prev_batch: Option<String>,
}

/// What a room's name is made of when it has none.
#[derive(Debug, Default, Serialize)]
pub struct Summary {
    /// Some of the others.
    #[serde(rename = "m.heroes", skip_serializing_if = "Option::is_none")]
    pub heroes: Option<Vec<OwnedUserId>>,
    /// How many are joined.
    #[serde(
        rename = "m.joined_member_count",
        skip_serializing_if = "Option::is_none"
    )]
    pub joined_member_count: Option<usize>,
    /// How many are invited.
    #[serde(
        rename = "m.invited_member_count",
        skip_serializing_if = "Option::is_none"
    )]
    pub invited_member_count: Option<usize>,
}

impl Summary {
    fn is_empty(&self) -> bool {
        self.heroes.is_none()
            && self.joined_member_count.is_none()
            && self.invited_member_count.is_none()
    }
}

/// A room that the user is asked into.
#[derive(Debug, Serialize)]
pub struct InvitedRoom {
    /// What the invited may know of it.
    pub invite_state: Events,
}

/// A room that the user asks to be let into.
#[derive(Debug, Serialize)]
pub struct KnockedRoom {
    /// What the knocking may know of it.
    pub knock_state: Events,
}

/// A room that the user left.
#[derive(Debug, Default, Serialize)]
pub struct LeftRoom {
    /// The state that the timeline builds on, or ends with.
    #[serde(flatten)]
    pub state: RoomState,
    /// What happened up to the leaving.
    pub timeline: Timeline,
    /// The user's own data of the room.
    #[serde(skip_serializing_if = "Events::is_empty")]
    pub account_data: Events,
}

/// Whose devices changed.
#[derive(Debug, Default, Serialize)]
pub struct DeviceLists {
    /// Users whose keys are to be asked for again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<OwnedUserId>,
    /// Users who share no room any more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<OwnedUserId>,
}

impl DeviceLists {
    pub(crate) fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.left.is_empty()
    }
}

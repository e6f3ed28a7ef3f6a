//! The answer of a sliding sync, its events already in their final text.

use std::collections::BTreeMap;

use rooms::UnreadCounts;
use ruma::{OwnedEventId, OwnedMxcUri, OwnedRoomId, OwnedUserId};
use serde::Serialize;

use super::request::ByList;
use crate::response::{ClientEvent, DeviceLists};

/// What changed in view.
#[derive(Debug, Default, Serialize)]
pub struct SlidingResponse {
    /// What the client called its request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub txn_id: Option<String>,
    /// Where the next request goes on.
    pub pos: String,
    /// The lists that were asked for.
    pub lists: ByList<ListLength>,
    /// The rooms that there is something to tell of.
    pub rooms: BTreeMap<OwnedRoomId, SlidingRoom>,
    /// What was asked for beside rooms.
    pub extensions: Extensions,
}

impl SlidingResponse {
    /// Whether a waiting client has nothing to learn from it.
    pub(super) fn is_empty(&self) -> bool {
        self.rooms.is_empty() && self.extensions.is_empty()
    }
}

/// How many rooms a list has.
#[derive(Debug, Serialize)]
pub struct ListLength {
    /// How many pass its filter, in view or not.
    pub count: usize,
}

/// What there is to tell of a room.
#[derive(Debug, Default, Serialize)]
pub struct SlidingRoom {
    /// Its name, if it was given one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its picture; null when it was taken away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar: Option<Option<OwnedMxcUri>>,
    /// Some of the others, when it has no name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heroes: Option<Vec<Hero>>,
    /// Whether this is all there is to tell of it: what the client had is replaced.
    #[serde(skip_serializing_if = "is_false")]
    pub initial: bool,
    /// Whether the user marked it as a direct chat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_dm: Option<bool>,
    /// State that was asked for: all of it, or what changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub required_state: Vec<ClientEvent>,
    /// The newest events, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<ClientEvent>,
    /// Where reading backwards goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prev_batch: Option<String>,
    /// Whether events before these are missing.
    #[serde(skip_serializing_if = "is_false")]
    pub limited: bool,
    /// Whether the timeline is longer than before, and begins before what the client has.
    #[serde(
        rename = "unstable_expanded_timeline",
        skip_serializing_if = "is_false"
    )]
    pub expanded_timeline: bool,
    /// How many of the events have happened since the position.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_live: Option<usize>,
    /// How many are in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub joined_count: Option<usize>,
    /// How many are asked in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invited_count: Option<usize>,
    /// How much is unread.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub unread: Option<UnreadCounts>,
    /// What orders lists: the larger, the livelier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bump_stamp: Option<i64>,
    /// What the invited or knocking may know of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invite_state: Option<Vec<ClientEvent>>,
}

/// Somebody who makes the name of a nameless room.
#[derive(Debug, Serialize)]
pub struct Hero {
    /// Who.
    pub user_id: OwnedUserId,
    /// Their name in the room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub displayname: Option<String>,
    /// Their picture in the room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<OwnedMxcUri>,
}

/// What is told beside rooms; each part when it was asked for and there is something.
#[derive(Debug, Default, Serialize)]
pub struct Extensions {
    /// Messages to the device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_device: Option<ToDevice>,
    /// Devices and their keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub e2ee: Option<E2ee>,
    /// The user's own data.
    #[serde(skip_serializing_if = "AccountData::is_empty")]
    pub account_data: AccountData,
    /// How far others have read.
    #[serde(skip_serializing_if = "OfRooms::is_empty")]
    pub receipts: OfRooms,
    /// Who types.
    #[serde(skip_serializing_if = "OfRooms::is_empty")]
    pub typing: OfRooms,
    /// Threads that the user began to follow, or left.
    #[serde(
        rename = "io.element.msc4308.thread_subscriptions",
        skip_serializing_if = "ThreadSubscriptions::is_empty"
    )]
    pub threads: ThreadSubscriptions,
}

impl Extensions {
    fn is_empty(&self) -> bool {
        let notes = self.to_device.as_ref().map_or(0, |told| told.events.len());
        let devices = self.e2ee.as_ref().map(|told| &told.device_lists);
        notes == 0
            && devices.is_none_or(DeviceLists::is_empty)
            && self.account_data.is_empty()
            && self.receipts.is_empty()
            && self.typing.is_empty()
            && self.threads.is_empty()
    }
}

/// Messages to the device.
#[derive(Debug, Serialize)]
pub struct ToDevice {
    /// Where the queue goes on; it proves that these have come.
    pub next_batch: String,
    /// The messages.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<ClientEvent>,
}

/// Devices and their keys.
#[derive(Debug, Serialize)]
pub struct E2ee {
    /// Whose devices changed.
    #[serde(skip_serializing_if = "DeviceLists::is_empty")]
    pub device_lists: DeviceLists,
    /// How many one-time keys are left, by algorithm.
    pub device_one_time_keys_count: BTreeMap<String, u64>,
    /// The algorithms whose fallback key is unused.
    pub device_unused_fallback_key_types: Vec<String>,
}

/// The user's own data.
#[derive(Debug, Default, Serialize)]
pub struct AccountData {
    /// Of the user.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub global: Vec<ClientEvent>,
    /// Of rooms.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rooms: BTreeMap<OwnedRoomId, Vec<ClientEvent>>,
}

impl AccountData {
    fn is_empty(&self) -> bool {
        self.global.is_empty() && self.rooms.is_empty()
    }
}

/// Threads that the user began to follow, or left, by room and first event.
#[derive(Debug, Default, Serialize)]
pub struct ThreadSubscriptions {
    /// Those that they follow.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub subscribed: ByThread<Followed>,
    /// Those that they do not.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unsubscribed: ByThread<Left>,
    /// Where older changes since the position are found, when there are more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prev_batch: Option<String>,
}

/// Threads by room and first event.
pub(super) type ByThread<T> = BTreeMap<OwnedRoomId, BTreeMap<OwnedEventId, T>>;

/// A thread that is followed.
#[derive(Debug, Serialize)]
pub struct Followed {
    /// Whether a client did that by itself.
    pub automatic: bool,
    /// Of two changes the one with the larger is later.
    pub bump_stamp: i64,
}

/// A thread that is not followed.
#[derive(Debug, Serialize)]
pub struct Left {
    /// Of two changes the one with the larger is later.
    pub bump_stamp: i64,
}

impl ThreadSubscriptions {
    fn is_empty(&self) -> bool {
        self.subscribed.is_empty() && self.unsubscribed.is_empty()
    }
}

/// One event for each of some rooms.
#[derive(Debug, Default, Serialize)]
pub struct OfRooms {
    /// By room.
    pub rooms: BTreeMap<OwnedRoomId, ClientEvent>,
}

impl OfRooms {
    fn is_empty(&self) -> bool {
        self.rooms.is_empty()
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks with a reference"
)]
fn is_false(value: &bool) -> bool {
    !value
}

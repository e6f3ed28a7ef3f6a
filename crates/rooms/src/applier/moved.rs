//! How far rooms have moved: what a batch tells other nodes, so that those that have a room in memory
//! go along instead of reading it anew.

use std::sync::Arc;

use model::event::EventRef;
use ruma::OwnedEventId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Applier, Pos, Touched};

use super::RoomsWork;
use crate::{Room, Rooms};

/// Where the timeline of a room ends after a batch that added events to it, and did nothing else.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Moved {
    #[serde(rename = "r")]
    room: i64,
    #[serde(rename = "d")]
    depth: i64,
    #[serde(rename = "p")]
    last_pos: Pos,
    #[serde(rename = "b")]
    bump_pos: Pos,
    #[serde(rename = "h")]
    head: OwnedEventId,
    /// Whether events of the state are among them.
    #[serde(rename = "s", default, skip_serializing_if = "std::ops::Not::not")]
    state: bool,
    /// Whether somebody has read something, or an event was redacted.
    #[serde(rename = "n", default, skip_serializing_if = "std::ops::Not::not")]
    noisy: bool,
}

impl Moved {
    fn between(before: &Room, room: &Room, noisy: bool) -> Self {
        Self {
            noisy,
            state: before.state_pos != room.state_pos,
            room: room.room,
            depth: room.depth,
            last_pos: room.last_pos,
            bump_pos: room.bump_pos,
            head: room.head.event_id.clone(),
        }
    }

    /// The room's integer.
    pub(crate) fn room(&self) -> i64 {
        self.room
    }

    /// Whether events were added to the timeline, and nothing else has happened.
    pub(crate) fn only_grows(&self) -> bool {
        !self.state && !self.noisy
    }

    /// Whether the state has changed, so that it has to be read.
    pub(super) fn moves_state(&self) -> bool {
        self.state
    }

    /// The room, from as it stood before; one that is there or further already stays.
    pub(super) fn apply(&self, before: Arc<Room>) -> Arc<Room> {
        if before.last_pos >= self.last_pos {
            return before;
        }
        let mut room = before;
        let moved = Arc::make_mut(&mut room);
        moved.depth = self.depth;
        moved.last_pos = self.last_pos;
        moved.bump_pos = self.bump_pos;
        moved.head = EventRef {
            event_id: self.head.clone(),
            reference_hash: None,
        };
        room
    }
}

/// Those of the rooms that were touched to which nothing has happened but that events were added.
pub(super) fn told(work: &RoomsWork, touched: &Touched) -> Option<Value> {
    let moved = touched.rooms().filter_map(|room| {
        let (before, now) = (work.read_rooms.get(&room)?, work.rooms.get(&room)?);
        let moved = work.rewritten.get(&room).is_none() && moved_only(before, now);
        let noisy = work.noisy.get(&room).is_some();
        moved.then(|| Moved::between(before, now, noisy))
    });
    let moved: Vec<Moved> = moved.collect();
    (!moved.is_empty()).then(|| serde_json::json!(moved))
}

/// What a batch of another node told of a room.
pub(super) fn find(moved: &[Moved], room: i64) -> Option<&Moved> {
    moved.iter().find(|moved| moved.room == room)
}

/// What a batch of another node told; nothing of what this program does not understand.
pub(crate) fn read(touched: &Touched) -> Vec<Moved> {
    let told = touched.told(Rooms::KIND).map(Vec::<Moved>::deserialize);
    told.and_then(Result::ok).unwrap_or_default()
}

/// Whether a room differs from how it was in nothing but its events.
///
/// Room versions 1 and 2 refer to events by a hash beside their id, which is not told.
fn moved_only(before: &Room, now: &Room) -> bool {
    before.published == now.published
        && before.notices_for == now.notices_for
        && now.head.reference_hash.is_none()
}

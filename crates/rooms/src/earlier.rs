//! Rooms as they stood before another node changed their state: who needs such a room reads what has
//! changed since, not ten thousand members anew.

use std::sync::Arc;

use moka::sync::Cache;
use parking_lot::Mutex;
use store::Pos;

use crate::Room;

/// How many events of the state of earlier rooms are kept in memory, about.
const KEPT_STATE: u64 = 64 * 1_024;

/// Earlier rooms, by their integers.
pub(crate) struct EarlierRooms {
    rooms: Cache<i64, Earlier>,
    /// Whoever changes an entry reads it first.
    changing: Mutex<()>,
}

/// A room, and up to where nothing happened to its state but that events were added to it.
#[derive(Clone)]
pub(crate) struct Earlier {
    room: Arc<Room>,
    grew_until: Pos,
}

impl EarlierRooms {
    pub(crate) fn new(weight: impl Fn(&Room) -> u32 + Send + Sync + 'static) -> Self {
        let rooms = Cache::builder().max_capacity(KEPT_STATE);
        Self {
            rooms: rooms
                .weigher(move |_, earlier: &Earlier| weight(&earlier.room))
                .build(),
            changing: Mutex::default(),
        }
    }

    pub(crate) fn get(&self, room: i64) -> Option<Earlier> {
        self.rooms.get(&room)
    }

    /// A batch added events to a room, up to this position, and did nothing else to it. The room is
    /// given as it stood before, if it was in memory.
    pub(crate) fn grow(&self, room: i64, before: Option<Arc<Room>>, until: Pos) {
        let _changing = self.changing.lock();
        let before = before.or_else(|| self.get(room).map(|earlier| earlier.room));
        if let Some(before) = before {
            let earlier = Earlier {
                room: before,
                grew_until: until,
            };
            self.rooms.insert(room, earlier);
        }
    }

    pub(crate) fn forget(&self, room: i64) {
        let _changing = self.changing.lock();
        self.rooms.invalidate(&room);
    }

    pub(crate) fn forget_all(&self) {
        let _changing = self.changing.lock();
        self.rooms.invalidate_all();
    }
}

impl Earlier {
    /// The room from which one follows by adding the events of its state since, if that is known:
    /// one whose last event and last change of state stand where they are given.
    ///
    /// What else can happen to a state is that one of its events is redacted, which is an event of
    /// the room too.
    pub(crate) fn leads_to(&self, last_pos: Pos, state_pos: Pos) -> Option<&Arc<Room>> {
        let leads = last_pos <= self.grew_until && self.room.state_pos <= state_pos;
        leads.then_some(&self.room)
    }
}

//! The ends of timelines in which something happened lately, in memory: what a waiting sync tells
//! is read by everybody who waits, and from no database.

use std::{collections::VecDeque, sync::Arc};

use moka::sync::Cache;
use parking_lot::Mutex;
use store::Pos;

use crate::{Room, Rooms, StoredEvent};

/// How many events of one room are kept.
const EVENTS: usize = 64;

/// How many bytes of events are kept of one room.
const BYTES: usize = 16 * 1_024;

/// How many rooms are kept.
const ROOMS: u64 = 2_048;

/// The ends of timelines.
pub(crate) struct Tails {
    tails: Cache<i64, Arc<Mutex<Tail>>>,
}

/// The end of one timeline.
struct Tail {
    /// Behind this, the timeline is what is kept.
    after: Pos,
    /// Behind this, nothing else happened in the room.
    quiet_after: Pos,
    events: VecDeque<StoredEvent>,
    bytes: usize,
}

/// What a batch did to the end of a timeline.
pub(crate) enum TailStep {
    /// An event was added to it.
    Event(StoredEvent),
    /// An earlier event was redacted.
    Redaction(Pos),
    /// Somebody has read something.
    Receipt(Pos),
}

/// The newest events of a room, from memory.
pub(crate) struct Newest {
    /// The events, oldest first.
    pub(crate) events: Vec<StoredEvent>,
    /// Behind this, they are all that there are.
    pub(crate) after: Pos,
}

impl Tails {
    pub(crate) fn new() -> Self {
        Self {
            tails: Cache::new(ROOMS),
        }
    }

    /// Takes what a batch did, room by room, in order.
    pub(crate) fn take(&self, steps: Vec<(i64, TailStep)>) {
        for (room, step) in steps {
            match (step, self.tails.get(&room)) {
                (TailStep::Event(event), Some(tail)) => tail.lock().push(event),
                (TailStep::Event(event), None) => {
                    let tail = Tail::beginning_with(event);
                    self.tails.insert(room, Arc::new(Mutex::new(tail)));
                }
                (TailStep::Redaction(pos), Some(tail)) => tail.lock().begin_after(pos),
                (TailStep::Receipt(pos), Some(tail)) => tail.lock().quiet_after = pos,
                (TailStep::Redaction(_) | TailStep::Receipt(_), None) => {}
            }
        }
    }

    pub(crate) fn forget(&self, room: i64) {
        self.tails.invalidate(&room);
    }

    pub(crate) fn forget_all(&self) {
        self.tails.invalidate_all();
    }
}

impl Tail {
    fn beginning_with(event: StoredEvent) -> Self {
        let before = Pos::new(event.pos.get() - 1);
        let mut tail = Self {
            after: before,
            quiet_after: before,
            events: VecDeque::new(),
            bytes: 0,
        };
        tail.push(event);
        tail
    }

    fn push(&mut self, event: StoredEvent) {
        self.bytes += event.pdu.json().len();
        self.events.push_back(event);
        while self.events.len() > EVENTS || self.bytes > BYTES {
            let Some(oldest) = self.events.pop_front() else {
                break;
            };
            self.bytes -= oldest.pdu.json().len();
            self.after = oldest.pos;
        }
    }

    fn begin_after(&mut self, pos: Pos) {
        self.after = pos;
        self.events.clear();
        self.bytes = 0;
    }
}

impl Rooms {
    /// The events of a room behind `after`, up to and including `up_to`, oldest first, if they are
    /// in memory and nothing else happened there meanwhile that a member is told of: no receipt and
    /// no redaction.
    ///
    /// The log has been applied up to `up_to`.
    pub fn events_lately(&self, room: &Room, after: Pos, up_to: Pos) -> Option<Vec<StoredEvent>> {
        let tail = self.tails().tails.get(&room.room)?;
        let tail = tail.lock();
        if tail.after.max(tail.quiet_after) > after {
            return None;
        }
        let within = |event: &&StoredEvent| event.pos > after && event.pos <= up_to;
        Some(tail.events.iter().filter(within).cloned().collect())
    }

    /// The end of a timeline as it is in a snapshot, where its last event stands at `last`, if that
    /// is in memory.
    pub(crate) fn newest_lately(&self, room: &Room, last: Pos) -> Option<Newest> {
        let tail = self.tails().tails.get(&room.room)?;
        let tail = tail.lock();
        let until = tail.events.iter().rposition(|event| event.pos == last)?;
        Some(Newest {
            events: tail.events.range(..=until).cloned().collect(),
            after: tail.after,
        })
    }
}

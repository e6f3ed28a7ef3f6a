//! The ends of timelines in which something happened lately, in memory: what a waiting sync tells
//! is read by everybody who waits, and from no database.

use std::{collections::VecDeque, sync::Arc};

use moka::sync::Cache;
use parking_lot::Mutex;
use store::{Batch, Pos, StoreError};

use crate::{Room, Rooms, StoredEvent, applier::moved};

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
    /// Whether another node added events, which were not read yet.
    is_behind: bool,
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
            // What is behind does not become whole by this, and begins anew.
            if self
                .tails
                .get(&room)
                .is_some_and(|tail| tail.lock().is_behind)
            {
                self.tails.invalidate(&room);
            }
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

    /// Another node added events to a room.
    pub(crate) fn miss(&self, room: i64) {
        if let Some(tail) = self.tails.get(&room) {
            tail.lock().is_behind = true;
        }
    }

    /// Behind which position events are missing, where a batch has just added some that begin at
    /// `first`; `None` if none are.
    fn missing_after(&self, room: i64, first: Pos) -> Option<Pos> {
        match self.tails.get(&room) {
            Some(tail) => {
                let tail = tail.lock();
                tail.is_behind.then(|| tail.end())
            }
            None => Some(before(first)),
        }
    }

    /// Adds the events that were missing behind `after`, the newest of them if there are many.
    fn fill(&self, room: i64, after: Pos, (events, more): (Vec<StoredEvent>, bool)) {
        let Some(first) = events.first() else {
            return;
        };
        let begins = if more { before(first.pos) } else { after };
        let known = self.tails.get(&room);
        let known = known.filter(|tail| tail.lock().end() == begins);
        let tail = known.unwrap_or_else(|| {
            let tail = Arc::new(Mutex::new(Tail::empty_after(begins)));
            self.tails.insert(room, Arc::clone(&tail));
            tail
        });
        let mut tail = tail.lock();
        tail.is_behind = false;
        events.into_iter().for_each(|event| tail.push(event));
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
        let mut tail = Self::empty_after(before(event.pos));
        tail.push(event);
        tail
    }

    fn empty_after(after: Pos) -> Self {
        Self {
            after,
            quiet_after: after,
            events: VecDeque::new(),
            bytes: 0,
            is_behind: false,
        }
    }

    /// Up to where it is known.
    fn end(&self) -> Pos {
        let last = self.events.back().map_or(self.after, |event| event.pos);
        last.max(self.after)
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

fn before(pos: Pos) -> Pos {
    Pos::new(pos.get() - 1)
}

impl Rooms {
    /// Reads what another node added to the ends of timelines, once for everybody who is told of it.
    /// Of this node's own batches nothing is missing.
    pub async fn read_added(
        &self,
        batch: &Batch,
        is_waited_for: impl Fn(i64) -> bool,
    ) -> Result<(), StoreError> {
        let moved = moved::read(&batch.touched).into_iter();
        let growing = moved.filter(|moved| moved.only_grows() && is_waited_for(moved.room()));
        let missing = growing.filter_map(|moved| {
            let room = self.room_in_memory(moved.room())?;
            let after = self.tails().missing_after(room.room, batch.first_pos)?;
            Some((room, after))
        });
        let missing: Vec<_> = missing.collect();
        if missing.is_empty() {
            return Ok(());
        }
        let snapshot = self.snapshot().await?;
        let until = batch.last_pos;
        for (room, after) in missing {
            let (from, to) = (after.get(), until.get());
            let events = self.newest(&snapshot, &room, from, to, EVENTS as i64);
            let events = events.await?;
            let fill = || self.tails().fill(room.room, after, events);
            self.cache().if_unchanged_since(&room.room, until, fill);
        }
        Ok(())
    }

    /// The events of a room behind `after`, up to and including `up_to`, oldest first, if they are
    /// in memory and nothing else happened there meanwhile that a member is told of: no receipt and
    /// no redaction.
    ///
    /// The log has been applied up to `up_to`.
    pub fn events_lately(&self, room: &Room, after: Pos, up_to: Pos) -> Option<Vec<StoredEvent>> {
        let tail = self.tails().tails.get(&room.room)?;
        let tail = tail.lock();
        if tail.is_behind || tail.after.max(tail.quiet_after) > after {
            return None;
        }
        let within = |event: &&StoredEvent| event.pos > after && event.pos <= up_to;
        Some(tail.events.iter().filter(within).cloned().collect())
    }

    /// The end of a timeline as it is in a snapshot, where its last event stands at `last`, if that
    /// is in memory.
    pub(crate) fn newest_lately(&self, room: &Room, last: Pos) -> Option<Newest> {
        let tail = self.tails().tails.get(&room.room)?;
        let tail = Some(tail.lock()).filter(|tail| !tail.is_behind)?;
        let until = tail.events.iter().rposition(|event| event.pos == last)?;
        Some(Newest {
            events: tail.events.range(..=until).cloned().collect(),
            after: tail.after,
        })
    }
}

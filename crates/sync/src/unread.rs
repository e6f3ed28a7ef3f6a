//! Unread counts: push rules over what came after the receipt, counted once and kept.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use model::{
    push_rules::{PushEvent, PushReader, evaluate},
    room_state::StateView,
};
use moka::sync::Cache;
use rooms::{Room, Rooms, StoredEvent};
use ruma::{OwnedUserId, UserId, events::room::member::MembershipState, push::Ruleset};
use store::{Snapshot, StoreError};

use crate::response::UnreadByThread;

/// How many events are looked at, at most, behind a receipt: whoever is further behind is told
/// of the newest ones only.
const LOOKED_AT: i64 = 2_000;

/// How many events are read at once, back to the user's own last one.
const CHUNK: i64 = 128;

const CACHED: u64 = 100_000;

/// Counts what a user has not read.
pub(crate) struct Unread {
    counted: Cache<(i64, i64), Counted>,
}

#[derive(Clone)]
struct Counted {
    /// The receipts behind which was counted.
    read: Read,
    /// Up to where.
    until: i64,
    /// By what it was judged: another judge makes another count.
    judge: Judge,
    counts: UnreadByThread,
}

/// What decides whether an event counts.
#[derive(Clone)]
pub(crate) struct Judge {
    pub(crate) rules: Arc<Ruleset>,
    /// Whose events never count.
    pub(crate) ignored: Arc<BTreeSet<OwnedUserId>>,
}

impl Judge {
    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.rules, &other.rules) && Arc::ptr_eq(&self.ignored, &other.ignored)
    }
}

/// How far a user has read.
#[derive(Clone, Default, PartialEq, Eq)]
struct Read {
    /// In the room, outside of threads: nothing before it is unread in a thread either.
    main: i64,
    /// In threads, by their first event.
    threads: BTreeMap<String, i64>,
}

impl Unread {
    pub(crate) fn new() -> Self {
        Self {
            counted: Cache::new(CACHED),
        }
    }

    /// Counts at the snapshot's head, from where the last count ended if that still stands.
    pub(crate) async fn count(
        &self,
        rooms: &Rooms,
        snapshot: &Snapshot,
        room: &Room,
        user: (i64, &UserId),
        judge: &Judge,
    ) -> Result<UnreadByThread, StoreError> {
        let (number, user_id) = user;
        let until = snapshot.head().get();
        let read = Read::of(rooms, snapshot, room, number, user_id).await?;
        let key = (number, room.room);
        let known = self
            .counted
            .get(&key)
            .filter(|known| known.read == read && known.judge.is(judge) && known.until <= until);
        let mut counted = known.unwrap_or_else(|| Counted {
            until: read.main,
            read,
            judge: judge.clone(),
            counts: UnreadByThread::default(),
        });
        if room.last_pos().get() > counted.until {
            let places = (counted.until, until);
            let said = SaidByOthers::between(rooms, snapshot, room, places, user_id).await?;
            if said.after_own {
                counted.counts = UnreadByThread::default();
            }
            let reader = push_reader(room, user_id);
            for event in &said.events {
                counted.add(event, &reader);
            }
        }
        counted.until = until;
        let counts = counted.counts.clone();
        self.counted.insert(key, counted);
        Ok(counts)
    }
}

/// What others said, back to the user's own last event: who speaks has read what was said.
struct SaidByOthers {
    events: Vec<StoredEvent>,
    /// Whether the user's own event stands before them.
    after_own: bool,
}

impl SaidByOthers {
    async fn between(
        rooms: &Rooms,
        snapshot: &Snapshot,
        room: &Room,
        (after, until): (i64, i64),
        user_id: &UserId,
    ) -> Result<Self, StoreError> {
        let mut said = Self {
            events: Vec::new(),
            after_own: false,
        };
        let (mut until, mut left) = (until, LOOKED_AT);
        loop {
            let limit = left.min(CHUNK);
            let (mut chunk, more) = rooms.newest(snapshot, room, after, until, limit).await?;
            let own = chunk
                .iter()
                .rposition(|event| event.pdu.sender() == user_id);
            let oldest = chunk.first().map(|event| event.ord);
            said.after_own = own.is_some();
            said.events
                .extend(chunk.drain(own.map_or(0, |own| own + 1)..));
            left -= limit;
            match oldest {
                Some(oldest) if more && left > 0 && !said.after_own => until = oldest - 1,
                _ => return Ok(said),
            }
        }
    }
}

impl Counted {
    /// Counts one event of another, unless it was read in its thread.
    fn add(&mut self, event: &StoredEvent, reader: &PushReader) {
        if self.judge.ignored.contains(event.pdu.sender()) {
            return;
        }
        let relation = event.pdu.facts().relation;
        let thread = relation.filter(|relation| relation.rel_type == "m.thread");
        let thread = thread.map(|relation| relation.event_id);
        let read = thread
            .as_ref()
            .and_then(|thread| self.read.threads.get(thread.as_str()));
        if read.is_some_and(|read| event.ord <= *read) {
            return;
        }
        let outcome = evaluate(&self.judge.rules, &PushEvent::new(&event.pdu), reader);
        if !outcome.notify {
            return;
        }
        let counts = match thread {
            Some(thread) => self.counts.threads.entry(thread).or_default(),
            None => &mut self.counts.main,
        };
        counts.notification_count += 1;
        counts.highlight_count += u64::from(outcome.highlight);
    }
}

impl Read {
    /// The places of the last events that the user has read, or of their joining.
    async fn of(
        rooms: &Rooms,
        snapshot: &Snapshot,
        room: &Room,
        user: i64,
        user_id: &UserId,
    ) -> Result<Self, StoreError> {
        let mut read = Self::default();
        for receipt in rooms.own_receipts(snapshot, room.room, user).await? {
            match receipt.thread.as_str() {
                _ if receipt.kind == "m.fully_read" => {}
                "" | "main" => read.main = read.main.max(receipt.ord),
                thread => {
                    let place = read.threads.entry(thread.to_owned()).or_default();
                    *place = receipt.ord.max(*place);
                }
            }
        }
        let joined = room
            .state
            .get("m.room.member", user_id.as_str())
            .filter(|event| event.membership() == Some(&MembershipState::Join));
        let joined = match joined {
            Some(event) => rooms.event(snapshot, room, event.event_id()).await?,
            None => None,
        };
        let joined = joined.map_or(0, |event| event.ord);
        read.main = read.main.max(joined);
        Ok(read)
    }
}

fn push_reader(room: &Room, user_id: &UserId) -> PushReader {
    let name = room.state.display_name(user_id).unwrap_or_default();
    PushReader::new(
        user_id,
        &name,
        &room.room_id,
        room.state.joined_count(),
        room.state.power_levels(),
    )
}

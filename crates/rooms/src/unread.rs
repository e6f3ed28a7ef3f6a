//! Unread counts: push rules over what came after the receipts, counted once and kept.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use model::{
    push_rules::{PushEvent, PushOutcome, PushReader, evaluate},
    room_state::StateView,
};
use moka::sync::Cache;
use parking_lot::Mutex;
use ruma::{
    OwnedEventId, OwnedUserId, UserId, events::room::member::MembershipState, push::Ruleset,
};
use serde::Serialize;
use store::{Pos, Snapshot, StoreError};

use crate::{ReceiptEntry, Room, Rooms, StoredEvent};

/// How many events are looked at, at most, behind a receipt, and kept: whoever is further behind is
/// told of the newest ones only.
const LOOKED_AT: i64 = 2_000;

/// How many events are read at once, back to the user's own last one.
const CHUNK: i64 = 128;

/// How many rooms of users are kept, and unread events in them, together.
const CACHED: u64 = 1_000_000;

/// How much is unread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct UnreadCounts {
    /// Events that notify.
    pub notification_count: u64,
    /// Events that stand out.
    pub highlight_count: u64,
}

/// How much is unread, as it was told from memory.
#[derive(Clone, Debug)]
pub struct UnreadLately {
    /// How much.
    pub counts: UnreadByThread,
    /// Whose events did not count, and are not told.
    pub ignored: Arc<BTreeSet<OwnedUserId>>,
}

/// How much is unread, in threads and outside of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnreadByThread {
    /// What is in no thread.
    pub main: UnreadCounts,
    /// By the thread's first event.
    pub threads: BTreeMap<OwnedEventId, UnreadCounts>,
}

/// Unread counts that are kept in memory.
pub(crate) struct UnreadCache {
    counted: Cache<(i64, i64), Arc<Mutex<Counted>>>,
}

#[derive(Clone)]
struct Counted {
    /// Behind what was counted.
    read: Read,
    /// Up to where.
    until: i64,
    /// By what it was judged: another judge makes another count.
    judge: Judge,
    /// What is unread: a receipt then takes away what it covers, and nothing is read again.
    unread: Vec<UnreadEvent>,
}

/// An event that notifies.
#[derive(Clone)]
struct UnreadEvent {
    ord: i64,
    /// The root of the thread that it is in.
    thread: Option<OwnedEventId>,
    highlight: bool,
}

/// What decides whether an event counts.
#[derive(Clone)]
pub struct Judge {
    /// The user's push rules.
    pub rules: Arc<Ruleset>,
    /// Whose events never count.
    pub ignored: Arc<BTreeSet<OwnedUserId>>,
    /// Where in the log the user last said which threads they follow. Who never did hears of all.
    pub threads_said: Option<i64>,
}

/// An event that notifies a user, and how; or one of their own.
type Matter<'a> = (&'a StoredEvent, Option<PushOutcome>);

impl Judge {
    /// The events that matter to a user: those that notify them, and their own.
    fn matters<'e>(
        &self,
        user_id: &UserId,
        reader: &PushReader,
        events: &'e [StoredEvent],
    ) -> Vec<Matter<'e>> {
        let told = events.iter();
        let told = told.filter(|event| !self.ignored.contains(event.pdu.sender()));
        let outcomes = told.map(|event| {
            let is_own = event.pdu.sender() == user_id;
            let pushed = || evaluate(&self.rules, &PushEvent::new(&event.pdu), reader);
            (event, (!is_own).then(pushed))
        });
        let matters = outcomes.filter(|(_, outcome)| outcome.as_ref().is_none_or(|o| o.notify));
        matters.collect()
    }

    fn is(&self, other: &Self) -> bool {
        self.is_but_for_threads(other) && self.threads_said == other.threads_said
    }

    fn is_but_for_threads(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.rules, &other.rules) && Arc::ptr_eq(&self.ignored, &other.ignored)
    }
}

/// How far a user has read.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Read {
    /// Everything, in threads or not.
    all: i64,
    /// Outside of threads.
    main: i64,
    /// In threads, by their first event.
    threads: BTreeMap<OwnedEventId, i64>,
}

/// What one user is looked at for in one room.
pub struct Looking<'a> {
    /// The owner of rooms.
    pub rooms: &'a Rooms,
    /// The moment.
    pub snapshot: &'a Snapshot,
    /// The room.
    pub room: &'a Room,
    /// The user.
    pub user: i64,
    /// The user, by name.
    pub user_id: &'a UserId,
    /// Where the timeline ends in the snapshot, if that is known.
    pub ends_at: Option<i64>,
}

impl UnreadByThread {
    /// All of it together.
    pub fn all(&self) -> UnreadCounts {
        let threads = self.threads.values();
        threads.fold(self.main, |all, thread| UnreadCounts {
            notification_count: all.notification_count + thread.notification_count,
            highlight_count: all.highlight_count + thread.highlight_count,
        })
    }
}

impl UnreadCache {
    pub(crate) fn new() -> Self {
        let cache = Cache::builder().max_capacity(CACHED);
        let weight = |counted: &Counted| u32::try_from(counted.unread.len()).unwrap_or(u32::MAX);
        Self {
            counted: cache
                .weigher(move |_, counted: &Arc<Mutex<Counted>>| {
                    weight(&counted.lock()).saturating_add(1)
                })
                .build(),
        }
    }
}

impl Rooms {
    /// Counts what a user has not read of a room at the snapshot's head, from where the last count
    /// ended if that still stands.
    pub async fn unread(
        &self,
        snapshot: &Snapshot,
        room: &Room,
        user: (i64, &UserId),
        judge: &Judge,
    ) -> Result<UnreadByThread, StoreError> {
        let looking = Looking {
            rooms: self,
            snapshot,
            room,
            user: user.0,
            user_id: user.1,
            ends_at: None,
        };
        let read = looking.read().await?;
        self.unread_behind(looking, read, judge).await
    }

    /// The same for one whose own receipts in the room are known, and where they came in.
    pub async fn unread_of_member(
        &self,
        looking: Looking<'_>,
        judge: &Judge,
        (came_in, receipts): (i64, impl Iterator<Item = &ReceiptEntry>),
    ) -> Result<UnreadByThread, StoreError> {
        let read = Read::of(came_in, receipts);
        self.unread_behind(looking, read, judge).await
    }

    async fn unread_behind(
        &self,
        looking: Looking<'_>,
        read: Read,
        judge: &Judge,
    ) -> Result<UnreadByThread, StoreError> {
        let (room, until) = (looking.room, looking.snapshot.head().get());
        let cache = &self.unread_cache().counted;
        let key = (looking.user, room.room);
        let known = cache.get(&key).map(|known| known.lock().clone());
        let known = known.filter(|known| known.until <= until && read.covers(&known.read));
        let known = match known {
            Some(known) if looking.judges_alike(&known.judge, judge).await? => Some(known),
            _ => None,
        };
        let mut counted = known.unwrap_or_else(|| Counted {
            until: i64::MIN,
            read: Read::default(),
            judge: judge.clone(),
            unread: Vec::new(),
        });
        counted.judge = judge.clone();
        counted.read.raise_to(&read);
        if room.last_pos().get() > counted.until {
            looking.count_on(&mut counted, until).await?;
        }
        counted.forget_read();
        counted.until = until;
        let counts = counted.counts();
        // What is kept is compared with receipts alone.
        counted.read = read;
        cache.insert(key, Arc::new(Mutex::new(counted)));
        Ok(counts)
    }

    /// The same up to a position that the log has been applied to, from what is in memory: the last
    /// count, and what was said since. `None` where that does not tell.
    ///
    /// What the user read, and how they want to be told, changed at `touched` at the latest.
    pub fn unread_lately(
        &self,
        room: &Room,
        user: (i64, &UserId),
        touched: Pos,
        up_to: Pos,
    ) -> Option<UnreadLately> {
        let (number, user_id) = user;
        let cache = &self.unread_cache().counted;
        let key = (number, room.room);
        let known = cache.get(&key)?;
        let mut counted = known.lock();
        let until = Pos::new(counted.until);
        if until < touched || until > up_to || counted.judge.threads_said.is_some() {
            return None;
        }
        let mut events = self.events_lately(room, until, up_to)?;
        events.reverse();
        let reader = plain_reader(room, user_id);
        let matters = counted.judge.matters(user_id, &reader, &events);
        if matters
            .iter()
            .any(|(event, _)| event.pdu.facts().relation.is_some())
        {
            return None;
        }
        if !matters.is_empty() {
            let read = counted.read.clone();
            counted.add(matters, HashMap::new());
            counted.forget_read();
            counted.read = read;
        }
        counted.until = up_to.get();
        let told = UnreadLately {
            counts: counted.counts(),
            ignored: Arc::clone(&counted.judge.ignored),
        };
        drop(counted);
        if !events.is_empty() {
            // It is weighed anew.
            cache.insert(key, known);
        }
        Some(told)
    }
}

impl Looking<'_> {
    /// Counts what was said up to `until`, newest first, until all of it is read.
    async fn count_on(&self, counted: &mut Counted, until: i64) -> Result<(), StoreError> {
        let (from, mut left) = (counted.until, LOOKED_AT);
        let mut until = until;
        while left > 0 {
            // What was said outside of threads before this is read.
            let after = counted.read.all.max(counted.read.main).max(from);
            if until <= after {
                break;
            }
            let limit = left.min(CHUNK);
            let (mut events, more) = match self.newest_lately(after, until, limit) {
                Some(newest) => newest,
                None => {
                    let rooms = self.rooms;
                    let newest = rooms.newest(self.snapshot, self.room, after, until, limit);
                    newest.await?
                }
            };
            events.reverse();
            left -= limit;
            until = match events.last() {
                Some(oldest) if more => oldest.ord - 1,
                _ => after,
            };
            self.add(counted, &events).await?;
        }
        while left > 0 {
            let after = counted.read.all.max(from);
            if until <= after {
                break;
            }
            let limit = left.min(CHUNK);
            let part = (after, until);
            let newest = self
                .rooms
                .newest_in_threads(self.snapshot, self.room, part, limit);
            let events = newest.await?;
            left -= limit;
            until = match events.last() {
                Some(oldest) if events.len() as i64 == limit => oldest.ord - 1,
                _ => after,
            };
            self.add(counted, &events).await?;
        }
        Ok(())
    }

    /// What [`Rooms::newest`] reads, from memory.
    fn newest_lately(
        &self,
        after: i64,
        until: i64,
        limit: i64,
    ) -> Option<(Vec<StoredEvent>, bool)> {
        let ends_at = Pos::new(self.ends_at?);
        let mut newest = self.rooms.newest_lately(self.room, ends_at)?;
        if newest.after.get() > after {
            return None;
        }
        let events = &mut newest.events;
        events.retain(|event| event.ord > after && event.ord <= until);
        let more = events
            .len()
            .saturating_sub(usize::try_from(limit).unwrap_or(0));
        events.drain(..more);
        Some((newest.events, more > 0))
    }

    /// Counts events, newest first.
    async fn add(&self, counted: &mut Counted, events: &[StoredEvent]) -> Result<(), StoreError> {
        let reader = self.push_reader(&counted.judge, events).await?;
        let matters = counted.judge.matters(self.user_id, &reader, events);
        let events = matters.iter().map(|(event, _)| *event);
        let threads = self.rooms.threads_of(self.snapshot, self.room, events);
        let threads = threads.await?;
        counted.add(matters, threads);
        Ok(())
    }

    /// The user, as the rules ask for them, who judges these events.
    pub async fn push_reader(
        &self,
        judge: &Judge,
        events: &[StoredEvent],
    ) -> Result<PushReader, StoreError> {
        let Self { room, user_id, .. } = *self;
        let reader = plain_reader(room, user_id);
        if judge.threads_said.is_none() {
            return Ok(reader);
        }
        let relations = events.iter().filter_map(|event| event.pdu.facts().relation);
        let threads = relations.filter(|relation| relation.rel_type == "m.thread");
        let threads: HashSet<_> = threads.map(|relation| relation.event_id).collect();
        let threads: Vec<_> = threads.into_iter().collect();
        let followed = self
            .rooms
            .followed_threads(self.snapshot, self.user, room, &threads);
        Ok(reader.following(followed.await?))
    }

    /// Whether what one judge counted in this room, another would count too.
    async fn judges_alike(&self, one: &Judge, other: &Judge) -> Result<bool, StoreError> {
        if one.is(other) {
            return Ok(true);
        }
        let (Some(said), true) = (one.threads_said, one.is_but_for_threads(other)) else {
            return Ok(false);
        };
        // What was said of threads elsewhere changes nothing here.
        let room = Some(self.room);
        let said_here = self
            .rooms
            .thread_subscriptions_moved(self.snapshot, self.user, room);
        Ok(said_here.await?.is_none_or(|here| here <= said))
    }

    /// The places of the last events that the user has read, or of their joining.
    pub async fn read(&self) -> Result<Read, StoreError> {
        let Self {
            rooms,
            snapshot,
            room,
            user,
            user_id,
            ..
        } = *self;
        let joined = room
            .state
            .get("m.room.member", user_id.as_str())
            .filter(|event| event.membership() == Some(&MembershipState::Join));
        let joined = match joined {
            Some(event) => rooms.event(snapshot, room, event.event_id()).await?,
            None => None,
        };
        let joined = joined.map_or(0, |event| event.ord);
        let receipts = rooms.own_receipts(snapshot, room.room, user).await?;
        Ok(Read::of(joined, receipts.iter()))
    }
}

/// A user, as the rules ask for them, who hears of all threads.
fn plain_reader(room: &Room, user_id: &UserId) -> PushReader {
    let name = room.state.display_name(user_id).unwrap_or_default();
    PushReader::new(
        user_id,
        &name,
        &room.room_id,
        room.state.joined_count(),
        room.state.power_levels(),
    )
}

impl Counted {
    /// Counts events that matter, newest first: who speaks has read what was said before, where
    /// they speak.
    fn add(&mut self, matters: Vec<Matter<'_>>, mut threads: HashMap<OwnedEventId, OwnedEventId>) {
        for (event, outcome) in matters {
            let thread = threads.remove(event.pdu.event_id());
            if self.read.has(thread.as_ref(), event.ord) {
                continue;
            }
            match outcome {
                None => self.read.raise(thread, event.ord),
                Some(outcome) => self.unread.push(UnreadEvent {
                    ord: event.ord,
                    thread,
                    highlight: outcome.highlight,
                }),
            }
        }
    }

    /// Drops what was read since, and of the rest what is too much.
    fn forget_read(&mut self) {
        let read = &self.read;
        self.unread
            .retain(|event| !read.has(event.thread.as_ref(), event.ord));
        self.unread.sort_unstable_by_key(|event| event.ord);
        let too_many = self.unread.len().saturating_sub(LOOKED_AT as usize);
        self.unread.drain(..too_many);
    }

    fn counts(&self) -> UnreadByThread {
        let mut counts = UnreadByThread::default();
        for event in &self.unread {
            let UnreadCounts {
                notification_count,
                highlight_count,
            } = match &event.thread {
                Some(thread) => counts.threads.entry(thread.clone()).or_default(),
                None => &mut counts.main,
            };
            *notification_count += 1;
            *highlight_count += u64::from(event.highlight);
        }
        counts
    }
}

impl Read {
    /// What somebody has read who came in at a place and gave these receipts.
    fn of<'r>(came_in: i64, receipts: impl Iterator<Item = &'r ReceiptEntry>) -> Self {
        let mut read = Self::default();
        for receipt in receipts {
            match receipt.thread.as_str() {
                _ if receipt.kind == "m.fully_read" => {}
                "" => read.all = read.all.max(receipt.ord),
                "main" => read.raise(None, receipt.ord),
                thread => {
                    if let Ok(thread) = OwnedEventId::try_from(thread) {
                        read.raise(Some(thread), receipt.ord);
                    }
                }
            }
        }
        read.all = read.all.max(came_in);
        read
    }

    /// Whether an event at this place is read.
    pub fn has(&self, thread: Option<&OwnedEventId>, ord: i64) -> bool {
        let read = match thread {
            Some(thread) => self.threads.get(thread).copied(),
            None => Some(self.main),
        };
        ord <= self.all || read.is_some_and(|read| ord <= read)
    }

    /// Everything in a thread, or outside of all, is read up to a place.
    fn raise(&mut self, thread: Option<OwnedEventId>, ord: i64) {
        let place = match thread {
            Some(thread) => self.threads.entry(thread).or_default(),
            None => &mut self.main,
        };
        *place = ord.max(*place);
    }

    fn raise_to(&mut self, other: &Self) {
        self.all = self.all.max(other.all);
        self.raise(None, other.main);
        for (thread, ord) in &other.threads {
            self.raise(Some(thread.clone()), *ord);
        }
    }

    /// Whether it goes as far as another, everywhere.
    fn covers(&self, other: &Self) -> bool {
        let mut threads = other.threads.iter();
        self.all >= other.all
            && self.main >= other.main
            && threads.all(|(thread, ord)| self.threads.get(thread).is_some_and(|read| read >= ord))
    }
}

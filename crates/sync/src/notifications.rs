//! What a user was notified of, newest first: found at the asking, room by room.
//!
//! Nothing is written when an event notifies somebody. A page looks into the user's rooms from
//! the newest event down, and judges what it finds by the rules of now.

use std::{
    collections::{BTreeSet, BinaryHeap, HashMap, VecDeque},
    sync::Arc,
};

use model::{
    push_rules::{PushEvent, PushReader, matching},
    time::Timestamp,
};
use rooms::{Bundles, History, Judge, Looking, Read, Room, StoredEvent};
use ruma::{OwnedRoomId, OwnedUserId, push::Action};
use store::{Snapshot, StoreError};

use crate::{
    Sync, render::Reader, response::ClientEvent, sync::Inner, telling::Telling, token::Boundary,
};

/// How often one page looks into a room, and at how many events each time: what does not notify
/// must not make one request read everything.
const MOST_LOOKS: usize = 64;
const CHUNK: i64 = 64;

/// Which notifications are wanted.
pub struct NotificationsRequest {
    /// Only of events before this place.
    pub from: Option<Boundary>,
    /// How many, at most.
    pub limit: usize,
    /// Whether only those that stand out.
    pub only_highlights: bool,
}

/// A page of notifications, newest first.
pub struct Notifications {
    /// The notifications; a page can have fewer than there are, or none.
    pub notifications: Vec<Notification>,
    /// Where reading goes on; `None` at the end.
    pub next: Option<Boundary>,
}

/// One event that notified.
pub struct Notification {
    /// The room.
    pub room_id: OwnedRoomId,
    /// The event, as it is now.
    pub event: ClientEvent,
    /// What the rule that matched wants done.
    pub actions: Vec<Action>,
    /// Whether the user has read it.
    pub read: bool,
    /// When the event was sent.
    pub at: Timestamp,
}

/// One page in the making.
struct Search<'a> {
    inner: &'a Inner,
    snapshot: &'a Snapshot,
    reader: Reader<'a>,
    judge: Judge,
    only_highlights: bool,
    rooms: HashMap<i64, Source>,
    /// Each room with the place of the next that it may give.
    next: BinaryHeap<(i64, i64)>,
    looks_left: usize,
}

/// A room that was looked into.
struct Source {
    room: Arc<Room>,
    history: History,
    read: Option<Read>,
    /// What notified, newest first, and was not told yet.
    found: VecDeque<(StoredEvent, Vec<Action>)>,
    /// The place before which nothing was looked at.
    before: i64,
}

impl Sync {
    /// What a user was notified of, or would have been by the rules of now.
    pub async fn notifications(
        &self,
        reader: Reader<'_>,
        request: &NotificationsRequest,
    ) -> Result<Notifications, StoreError> {
        let inner = &self.inner;
        let snapshot = inner.log.database().snapshot().await?;
        let until = snapshot.head().get().saturating_add(1);
        let before = match request.from {
            Some(from) => from.ord_in(&snapshot).await?.min(until),
            None => until,
        };
        let newest = inner.rooms.newest_before(&snapshot, reader.user, before);
        let newest = newest.await?;
        let mut search = Search {
            inner,
            snapshot: &snapshot,
            judge: inner.judge(&snapshot, reader.user, reader.user_id).await?,
            reader,
            only_highlights: request.only_highlights,
            rooms: HashMap::new(),
            next: newest.into_iter().collect(),
            looks_left: MOST_LOOKS,
        };
        search.page(request.limit).await
    }
}

impl Search<'_> {
    async fn page(&mut self, limit: usize) -> Result<Notifications, StoreError> {
        let mut notifications = Vec::new();
        let mut next = None;
        while let Some((place, room)) = self.next.pop() {
            if let Some((event, actions)) = self.take(room) {
                let told = self.tell(room, &event, actions).await?;
                notifications.push(told);
                self.queue(room);
                if notifications.len() >= limit {
                    next = (!self.next.is_empty()).then_some(event.ord);
                    break;
                }
                continue;
            }
            if self.looks_left == 0 {
                next = Some(place.saturating_add(1));
                break;
            }
            self.looks_left -= 1;
            self.look(room, place).await?;
            self.queue(room);
        }
        Ok(Notifications {
            notifications,
            next: next.map(|ord| Boundary::new(self.snapshot, ord)),
        })
    }

    fn take(&mut self, room: i64) -> Option<(StoredEvent, Vec<Action>)> {
        self.rooms.get_mut(&room)?.found.pop_front()
    }

    /// Puts a room back at the place of the next that it may give, if there can be one.
    fn queue(&mut self, room: i64) {
        let Some(source) = self.rooms.get(&room) else {
            return;
        };
        let place = match source.found.front() {
            Some((event, _)) => Some(event.ord),
            None => source
                .history
                .notified_before(source.before)
                .map(|part| *part.end()),
        };
        self.next.extend(place.map(|place| (place, room)));
    }

    /// Looks at some more events of a room, up to a place.
    async fn look(&mut self, room: i64, place: i64) -> Result<(), StoreError> {
        let Some(mut source) = self.open(room, place).await? else {
            return Ok(());
        };
        if let Some(part) = source.history.notified_before(source.before) {
            let (first, last) = part.into_inner();
            let rooms = &self.inner.rooms;
            let newest = rooms.newest(self.snapshot, &source.room, first - 1, last, CHUNK);
            let (mut events, more) = newest.await?;
            events.reverse();
            source.before = match events.last() {
                Some(oldest) if more => oldest.ord,
                _ => first,
            };
            source.found = self.judged(&source.room, events).await?;
        }
        self.rooms.insert(room, source);
        Ok(())
    }

    async fn open(&mut self, room: i64, place: i64) -> Result<Option<Source>, StoreError> {
        if let Some(known) = self.rooms.remove(&room) {
            return Ok(Some(known));
        }
        let rooms = &self.inner.rooms;
        let Some(room) = rooms.room_by_number(self.snapshot, room).await? else {
            return Ok(None);
        };
        let history = rooms.history(self.snapshot, &room, self.reader.user_id);
        Ok(Some(Source {
            history: history.await?,
            room,
            read: None,
            found: VecDeque::new(),
            before: place.saturating_add(1),
        }))
    }

    /// Those of some events that notify, with what is to be done.
    async fn judged(
        &self,
        room: &Room,
        events: Vec<StoredEvent>,
    ) -> Result<VecDeque<(StoredEvent, Vec<Action>)>, StoreError> {
        let reader = self.looking(room).push_reader(&self.judge, &events).await?;
        let judged = events.into_iter().filter_map(|event| {
            let actions = self.actions(&event, &reader)?;
            Some((event, actions))
        });
        Ok(judged.collect())
    }

    fn actions(&self, event: &StoredEvent, reader: &PushReader) -> Option<Vec<Action>> {
        let sender = event.pdu.sender();
        let ignored: &BTreeSet<OwnedUserId> = &self.judge.ignored;
        if sender == self.reader.user_id || ignored.contains(sender) {
            return None;
        }
        let prepared = PushEvent::new(&event.pdu);
        let rule = matching(&self.judge.rules, &prepared, reader)?;
        let stands_out = !self.only_highlights || rule.triggers_highlight();
        (rule.triggers_notification() && stands_out).then(|| rule.actions().to_vec())
    }

    fn looking<'s>(&'s self, room: &'s Room) -> Looking<'s> {
        Looking {
            rooms: &self.inner.rooms,
            snapshot: self.snapshot,
            room,
            user: self.reader.user,
            user_id: self.reader.user_id,
            ends_at: None,
        }
    }

    async fn tell(
        &mut self,
        room: i64,
        event: &StoredEvent,
        actions: Vec<Action>,
    ) -> Result<Notification, StoreError> {
        let missing = || StoreError::Damaged("a room is gone while it is read".to_owned());
        let mut source = self.rooms.remove(&room).ok_or_else(missing)?;
        let read = match source.read.take() {
            Some(read) => read,
            None => self.looking(&source.room).read().await?,
        };
        let rooms = &self.inner.rooms;
        let threads = rooms.threads_of(self.snapshot, &source.room, [event].into_iter());
        let threads = threads.await?;
        let is_read = read.has(threads.get(event.pdu.event_id()), event.ord);
        let telling = Telling {
            rooms,
            snapshot: self.snapshot,
            room: &source.room,
            history: &source.history,
            reader: self.reader,
            room_id: None,
            bundles: &Bundles::default(),
        };
        let told = Notification {
            room_id: source.room.room_id.clone(),
            event: telling.event(event).await?,
            actions,
            read: is_read,
            at: event.pdu.origin_server_ts(),
        };
        source.read = Some(read);
        self.rooms.insert(room, source);
        Ok(told)
    }
}

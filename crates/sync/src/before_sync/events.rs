//! The stream of events: of all the reader's rooms, or of one that they may look into.

use std::{sync::Arc, time::Duration};

use model::filter::{EventFilter, SyncFilter};
use rooms::{Bundles, Direction, History, Membership, PageRequest, Room, StoredEvent};
use ruma::{RoomId, events::room::member::MembershipState};
use store::{Pos, StoreError};

use super::{EventStream, Look, LookError, RoomSet, hidden};
use crate::{
    Sync,
    answer::joined_rooms,
    sync::{Inner, LONGEST_WAIT, Syncer},
    token::Boundary,
};

/// The most events of one answer.
const MOST_EVENTS: usize = 100;

/// How many of them are held while many rooms are read.
const MOST_IN_MEMORY: usize = 1_000;

/// What one look at the stream gives.
struct Turn {
    events: Vec<crate::ClientEvent>,
    start: Boundary,
    end: Boundary,
    /// Whether there is more behind the end.
    is_cut: bool,
    head: Pos,
    /// The rooms to wait for.
    rooms: RoomSet,
}

/// Events of several rooms, each with what it takes to show it.
#[derive(Default)]
struct Found {
    events: Vec<(Arc<Room>, Arc<History>, StoredEvent)>,
    /// The place behind which not every room was read.
    horizon: Option<i64>,
}

impl Found {
    fn end_before(&mut self, ord: i64) {
        self.horizon = Some(self.horizon.map_or(ord, |horizon| horizon.min(ord)));
    }

    /// Puts the events of all rooms in one order, as far as all of them were read and one answer
    /// goes.
    fn trim(&mut self) {
        self.events.sort_unstable_by_key(|(_, _, event)| event.ord);
        if let Some((_, _, first)) = self.events.get(MOST_EVENTS) {
            self.end_before(first.ord);
        }
        if let Some(horizon) = self.horizon {
            self.events.retain(|(_, _, event)| event.ord < horizon);
        }
    }
}

impl Sync {
    /// The events after a boundary, of one room or of all the user's: at once when there are
    /// some, else when there are, or time is up. Without a boundary it begins now.
    pub async fn events(
        &self,
        syncer: Syncer<'_>,
        from: Option<Boundary>,
        room_id: Option<&RoomId>,
        timeout: Duration,
    ) -> Result<EventStream, LookError> {
        let inner = &self.inner;
        let deadline = inner.clock.sleep(timeout.min(LONGEST_WAIT));
        tokio::pin!(deadline);
        let mut time_is_up = timeout.is_zero();
        let mut waiter = inner.wakers.register(syncer.user);
        let mut from = from;
        let mut start = None;
        loop {
            let turn = Box::pin(inner.stream(syncer, from, room_id)).await?;
            let start = *start.get_or_insert(turn.start);
            // What was looked at may not have been for the reader: there is more behind it.
            if !turn.events.is_empty() || time_is_up || turn.is_cut {
                return Ok(EventStream {
                    start: start.to_string(),
                    end: turn.end.to_string(),
                    chunk: turn.events,
                });
            }
            from = Some(turn.end);
            waiter.follow(turn.rooms, turn.head);
            tokio::select! {
                () = waiter.woken() => {}
                () = &mut deadline => time_is_up = true,
            }
        }
    }
}

impl Inner {
    async fn stream(
        &self,
        syncer: Syncer<'_>,
        from: Option<Boundary>,
        room_id: Option<&RoomId>,
    ) -> Result<Turn, LookError> {
        self.admit(syncer).await?;
        let snapshot = self.log.database().snapshot().await?;
        let look = Look::of(self, &snapshot, syncer, SyncFilter::default()).await?;
        let behind = look.head().saturating_add(1);
        let from = match from {
            // A place in the future (of a restored copy) is as good as now.
            Some(from) => from.ord_in(&snapshot).await?.min(behind),
            None => behind,
        };
        let (found, rooms) = match room_id {
            Some(room_id) => look.peek(room_id, from).await?,
            None => look.all(from).await?,
        };
        look.turn(found, from, rooms).await
    }
}

impl Look<'_> {
    /// One room, for who is in it or may read it as anybody may.
    async fn peek(&self, room_id: &RoomId, from: i64) -> Result<(Found, RoomSet), LookError> {
        let room = self.inner.rooms.room(room_id).await.map_err(hidden)?;
        let history = Arc::new(self.history(&room).await?);
        let is_in = history
            .latest()
            .is_some_and(|(_, membership)| *membership == MembershipState::Join);
        let is_open = is_in || history.is_world_readable_now();
        let mut found = Found::default();
        // Who could look into it until just now is told how that ended.
        self.read(&room, &history, (from, i64::MAX), &mut found)
            .await?;
        if !is_open && found.events.is_empty() {
            return Err(LookError::Hidden);
        }
        Ok((found, RoomSet::new([room.room].into())))
    }

    /// All rooms that the user is in, and how they came out of others.
    async fn all(&self, from: i64) -> Result<(Found, RoomSet), LookError> {
        let rooms = &self.inner.rooms;
        let memberships = rooms.memberships(self.snapshot, self.syncer.user).await?;
        let mut found = Found::default();
        for membership in &memberships {
            if self.has_news(membership, from) {
                self.read_own(membership, from, &mut found).await?;
            }
        }
        Ok((found, joined_rooms(&memberships)))
    }

    fn has_news(&self, membership: &Membership, from: i64) -> bool {
        match membership.membership {
            MembershipState::Join => membership.last_pos >= from,
            _ => membership.pos >= from && !membership.forgotten,
        }
    }

    async fn read_own(
        &self,
        membership: &Membership,
        from: i64,
        found: &mut Found,
    ) -> Result<(), StoreError> {
        let rooms = &self.inner.rooms;
        let room = rooms.room_by_number(self.snapshot, membership.room).await?;
        let Some(room) = room else {
            return Ok(());
        };
        let history = Arc::new(self.history(&room).await?);
        if membership.membership == MembershipState::Join {
            return self.read(&room, &history, (from, i64::MAX), found).await;
        }
        // As far as they were in it, and what they are now.
        let to = history.left_before().unwrap_or(i64::MIN);
        if to > from {
            self.read(&room, &history, (from, to), found).await?;
        }
        if membership.pos >= to {
            let own = rooms.event(self.snapshot, &room, &membership.event_id);
            let own = own.await?.map(|own| (room, history, own));
            found.events.extend(own);
        }
        Ok(())
    }

    /// What the user may see of a part of a room.
    async fn read(
        &self,
        room: &Arc<Room>,
        history: &Arc<History>,
        (from, to): (i64, i64),
        found: &mut Found,
    ) -> Result<(), StoreError> {
        let request = PageRequest {
            from,
            to: Some(found.horizon.map_or(to, |horizon| horizon.min(to))),
            direction: Direction::Forward,
            limit: MOST_EVENTS,
            filter: &EventFilter::default(),
            ignored: &self.ignored,
            unbroken: false,
        };
        let rooms = &self.inner.rooms;
        let page = rooms.page(self.snapshot, room, history, &request).await?;
        let events = page.events.into_iter();
        found
            .events
            .extend(events.map(|event| (Arc::clone(room), Arc::clone(history), event)));
        if let Some(next) = page.next {
            found.end_before(next);
        }
        if found.events.len() > MOST_IN_MEMORY {
            found.trim();
        }
        Ok(())
    }

    async fn turn(&self, mut found: Found, from: i64, rooms: RoomSet) -> Result<Turn, LookError> {
        found.trim();
        let Found { events, horizon } = found;
        let end = horizon.unwrap_or(self.head().saturating_add(1));
        let reader = self.reader();
        let mut rendered = Vec::with_capacity(events.len());
        for (room, history, event) in &events {
            rendered.push(
                reader
                    .rendered(room, history, event, &Bundles::default())
                    .await?,
            );
        }
        Ok(Turn {
            events: rendered,
            start: Boundary::new(self.snapshot, from),
            end: Boundary::new(self.snapshot, end),
            is_cut: horizon.is_some(),
            head: self.snapshot.head(),
            rooms,
        })
    }
}

//! Events of one room as one caller sees them, spliced into responses.

use std::sync::Arc;

use model::{event::Pdu, time::Clock};
use rooms::{Bundles, History, Room, Rooms, RoomsError, RoomsRefusal, StoredEvent};
use ruma::{EventId, RoomId, serde::Raw};
use store::{Snapshot, StoreError};
use sync::{Reader, Telling, state_event};

use crate::{caller::Caller, error::ApiError};

/// One room at one moment, for one caller.
pub(crate) struct RoomView<'a> {
    rooms: &'a Rooms,
    caller: &'a Caller,
    clock: &'a dyn Clock,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) room: Arc<Room>,
    pub(crate) history: Arc<History>,
}

impl<'a> RoomView<'a> {
    /// Opens the view; what of it the caller may see is told by its history.
    pub(crate) async fn open(
        rooms: &'a Rooms,
        clock: &'a dyn Clock,
        caller: &'a Caller,
        room_id: &RoomId,
    ) -> Result<Self, RoomsError> {
        let room = rooms.room(room_id).await?;
        let snapshot = rooms.snapshot().await?;
        let history = rooms.history(&snapshot, &room, &caller.user_id).await?;
        Ok(Self {
            rooms,
            caller,
            clock,
            snapshot: Arc::new(snapshot),
            room,
            history: Arc::new(history),
        })
    }

    /// Over what was read already.
    pub(crate) fn over(
        rooms: &'a Rooms,
        clock: &'a dyn Clock,
        caller: &'a Caller,
        snapshot: &Arc<Snapshot>,
        (room, history): (&Arc<Room>, &Arc<History>),
    ) -> Self {
        Self {
            rooms,
            caller,
            clock,
            snapshot: Arc::clone(snapshot),
            room: Arc::clone(room),
            history: Arc::clone(history),
        }
    }

    /// One event, if the caller may see it.
    pub(crate) async fn visible(&self, event_id: &EventId) -> Result<StoredEvent, RoomsError> {
        let event = self.rooms.event(&self.snapshot, &self.room, event_id);
        let visible = event.await?.filter(|event| self.history.shows(event));
        visible.ok_or_else(|| RoomsRefusal::NoSuchEvent.into())
    }

    /// Events of the timeline, ready to be sent.
    pub(crate) async fn timeline<T>(
        &self,
        events: &[StoredEvent],
    ) -> Result<Vec<Raw<T>>, ApiError> {
        let bundles = self.bundles(events.iter()).await;
        let bundles = bundles.map_err(ApiError::internal)?;
        let mut rendered = Vec::with_capacity(events.len());
        for event in events {
            let event = self.rendered(event, &bundles).await;
            rendered.push(event.map_err(ApiError::internal)?);
        }
        Ok(rendered)
    }

    /// One event of the timeline, ready to be sent.
    pub(crate) async fn event<T>(&self, event: &StoredEvent) -> Result<Raw<T>, StoreError> {
        let bundles = self.bundles([event].into_iter()).await?;
        self.rendered(event, &bundles).await
    }

    /// What relates to events, as far as the caller may see it.
    async fn bundles<'e>(
        &self,
        events: impl Iterator<Item = &'e StoredEvent>,
    ) -> Result<Bundles, StoreError> {
        let events: Vec<_> = events.collect();
        let reader = (self.caller.user, &*self.history);
        self.rooms
            .bundles(&self.snapshot, &self.room, reader, &events)
            .await
    }

    async fn rendered<T>(
        &self,
        event: &StoredEvent,
        bundles: &Bundles,
    ) -> Result<Raw<T>, StoreError> {
        let telling = Telling {
            rooms: self.rooms,
            snapshot: &self.snapshot,
            room: &self.room,
            history: &self.history,
            reader: self.reader(),
            room_id: Some(&self.room.room_id),
            bundles,
        };
        Ok(Raw::from_json(telling.event(event).await?))
    }

    /// A state event, ready to be sent.
    pub(crate) fn state<T>(&self, event: &Pdu) -> Raw<T> {
        let now = self.clock.now();
        Raw::from_json(state_event(event, now, Some(&self.room.room_id)))
    }

    /// The state before a place in the timeline; the current one comes from memory.
    pub(crate) async fn state_before(&self, ord: i64) -> Result<Vec<Arc<Pdu>>, StoreError> {
        if ord == i64::MAX {
            return Ok(self.room.state.iter().cloned().collect());
        }
        self.rooms
            .state_before(&self.snapshot, &self.room, ord)
            .await
    }

    /// The member events of those who sent these events, as they stood after the newest one.
    pub(crate) async fn senders<T>(
        &self,
        events: &[StoredEvent],
    ) -> Result<Vec<Raw<T>>, StoreError> {
        let members = self.members(events).await?;
        Ok(members.iter().map(|member| self.state(member)).collect())
    }

    /// The same, as they are stored.
    pub(crate) async fn members(
        &self,
        events: &[StoredEvent],
    ) -> Result<Vec<Arc<Pdu>>, StoreError> {
        const MEMBER: &str = "m.room.member";

        let Some(newest) = events.iter().map(|event| event.ord).max() else {
            return Ok(Vec::new());
        };
        let mut senders: Vec<_> = events.iter().map(|event| event.pdu.sender()).collect();
        senders.sort_unstable();
        senders.dedup();
        let mut members = Vec::with_capacity(senders.len());
        for sender in senders {
            let sender = sender.as_str();
            let before = newest.saturating_add(1);
            let member =
                self.rooms
                    .state_event_before(&self.snapshot, &self.room, MEMBER, sender, before);
            members.extend(member.await?);
        }
        Ok(members)
    }

    fn reader(&self) -> Reader<'_> {
        Reader {
            device_id: self.caller.device_id.as_ref().map(|id| id.as_str()),
            user: self.caller.user,
            user_id: &self.caller.user_id,
            now: self.clock.now(),
        }
    }
}

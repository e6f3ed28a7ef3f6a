//! What a sync tells of one room.

use std::{collections::BTreeSet, sync::Arc};

use model::filter::SyncFilter;
use rooms::{Bundles, Direction, History, Membership, PageRequest, Room, Rooms, StoredEvent};
use ruma::{OwnedUserId, events::room::member::MembershipState};
use store::{Snapshot, StoreError};

use crate::{
    render::Reader,
    response::{ClientEvent, JoinedRoom, StateAt, Timeline},
    telling::Telling,
    token::Boundary,
};

/// How many events a timeline has when the client does not say.
const DEFAULT_TIMELINE: usize = 10;

/// The most events of one timeline.
const LONGEST_TIMELINE: usize = 100;

/// What one sync reads from: one moment, for one device.
pub(crate) struct RoomReader<'a> {
    pub(crate) rooms: &'a Rooms,
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) reader: Reader<'a>,
    pub(crate) filter: &'a SyncFilter,
    /// Whose messages and invitations are not told.
    pub(crate) ignored: &'a BTreeSet<OwnedUserId>,
    /// Whether the client wants all state, whatever it has seen.
    pub(crate) full_state: bool,
    /// Whether the state beside a timeline is that of its beginning or of its end.
    pub(crate) state_at: StateAt,
    /// Whether each event says which room it is of.
    pub(crate) names_rooms: bool,
}

/// The part of a room's time that one sync covers: after `since` (all of it when absent), up
/// to and including `until`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) since: Option<i64>,
    pub(crate) until: i64,
}

/// The events of a span that are told.
pub(crate) struct Slice {
    pub(crate) events: Vec<StoredEvent>,
    pub(crate) limited: bool,
    /// The boundary before the first event.
    pub(crate) begin: i64,
    /// Whether it is known that nothing relates to them.
    pub(crate) is_alone: bool,
}

impl RoomReader<'_> {
    /// A room that the user is in: what happened in it after `since`, and whether they have come
    /// in since then.
    pub(crate) async fn joined(
        &self,
        room: &Room,
        membership: &Membership,
        since: Option<i64>,
    ) -> Result<(JoinedRoom, bool), StoreError> {
        let span = Span {
            since,
            until: self.snapshot.head().get(),
        };
        let history = self.history(room, membership).await?;
        // Who comes in between gets the room from its beginning.
        let came_in = since.is_none_or(|since| !was_in(&history, since));
        let span = Span {
            since: since.filter(|_| !came_in),
            ..span
        };
        let slice = self
            .slice(room, &history, span, Some(membership.last_pos))
            .await?;
        let as_of = Some(membership.state_pos);
        let (state, summary) = self.state(room, span, &slice, as_of).await?;
        let told = JoinedRoom {
            summary,
            state: self.state_at.tell(self.state_events(&state)),
            timeline: self.timeline(room, &history, &slice).await?,
            ..JoinedRoom::default()
        };
        Ok((told, came_in))
    }

    /// What a member sees of their room.
    pub(crate) async fn history(
        &self,
        room: &Room,
        membership: &Membership,
    ) -> Result<Arc<History>, StoreError> {
        let (snapshot, user_id) = (self.snapshot, self.reader.user_id);
        self.rooms
            .history_as_of(snapshot, room, user_id, membership.state_pos)
            .await
    }

    /// The newest events of the span that the user may see and wants, of a timeline that ends at
    /// `last`, if that is known.
    pub(crate) async fn slice(
        &self,
        room: &Room,
        history: &History,
        span: Span,
        last: Option<i64>,
    ) -> Result<Slice, StoreError> {
        let filter = &self.filter.timeline;
        let wanted = wanted_events(self.filter);
        let from = span.until.saturating_add(1);
        if !filter.matches_room(&room.room_id) {
            return Ok(Slice {
                events: Vec::new(),
                limited: false,
                begin: from,
                is_alone: true,
            });
        }
        let request = PageRequest {
            from,
            to: span.since.map(|since| since + 1),
            direction: Direction::Backward,
            // One more tells whether there are more.
            limit: wanted + 1,
            filter,
            ignored: self.ignored,
            // State that changed where the reader may not look would be told nowhere.
            unbroken: true,
        };
        let newest = last.and_then(|last| self.rooms.newest_page(room, history, &request, last));
        let (page, is_alone) = match newest {
            Some(newest) => newest,
            None => {
                let page = self.rooms.page(self.snapshot, room, history, &request);
                (page.await?, false)
            }
        };
        let mut events = page.events;
        let limited = events.len() > wanted || page.next.is_some();
        events.truncate(wanted);
        // When nothing of it is to be shown, it begins where it ends.
        let begin = events.last().map_or(from, |first| first.ord);
        events.reverse();
        Ok(Slice {
            events,
            limited,
            begin,
            is_alone,
        })
    }

    pub(crate) async fn timeline(
        &self,
        room: &Room,
        history: &History,
        slice: &Slice,
    ) -> Result<Timeline, StoreError> {
        let bundles = self.bundles(room, history, slice).await?;
        let mut events = Vec::with_capacity(slice.events.len());
        for event in &slice.events {
            events.push(self.rendered(room, history, event, &bundles).await?);
        }
        let prev_batch = Some(Boundary::new(self.snapshot, slice.begin).to_string());
        Ok(Timeline {
            events,
            limited: slice.limited,
            prev_batch,
        })
    }

    /// What relates to the events of a slice, when it does not follow on what the client has: else
    /// the client is told of everything that relates to something, and bundles it itself.
    async fn bundles(
        &self,
        room: &Room,
        history: &History,
        slice: &Slice,
    ) -> Result<Bundles, StoreError> {
        if !slice.limited || slice.is_alone {
            return Ok(Bundles::default());
        }
        let events: Vec<_> = slice.events.iter().collect();
        let reader = (self.reader.user, history);
        self.rooms
            .bundles(self.snapshot, room, reader, &events)
            .await
    }

    /// One event of a timeline, with all that is told beside it.
    pub(crate) async fn rendered(
        &self,
        room: &Room,
        history: &History,
        event: &StoredEvent,
        bundles: &Bundles,
    ) -> Result<ClientEvent, StoreError> {
        let telling = Telling {
            rooms: self.rooms,
            snapshot: self.snapshot,
            room,
            history,
            reader: self.reader,
            room_id: self.names_rooms.then_some(&*room.room_id),
            bundles,
        };
        let told = telling.event(event).await?;
        Ok(self.formed(&event.pdu, told))
    }
}

/// How many events of a timeline are told, at most.
pub(crate) fn wanted_events(filter: &SyncFilter) -> usize {
    let limit = filter.timeline.limit.unwrap_or(DEFAULT_TIMELINE);
    limit.min(LONGEST_TIMELINE)
}

/// Whether the user was in the room at a position.
pub(crate) fn was_in(history: &History, pos: i64) -> bool {
    history.membership_before(pos.saturating_add(1)) == MembershipState::Join
}

//! What a sync tells of one room.

use std::{collections::BTreeSet, sync::Arc};

use model::{client_form::is_in_stripped_state, event::Pdu, filter::SyncFilter};
use rooms::{Direction, History, Membership, PageRequest, Room, Rooms, StoredEvent};
use ruma::{OwnedUserId, UserId, events::room::member::MembershipState};
use store::{Snapshot, StoreError};

use crate::{
    render::{Beside, Reader, state_event, stripped_event, timeline_event},
    response::{ClientEvent, Events, JoinedRoom, LeftRoom, Summary, Timeline},
    token::boundary_token,
};

/// How many events a timeline has when the client does not say.
const DEFAULT_TIMELINE: usize = 10;

/// The most events of one timeline.
const LONGEST_TIMELINE: usize = 100;

/// How many members make the name of a nameless room.
const HEROES: usize = 5;

/// What one sync reads from: one moment, for one device.
pub(crate) struct RoomReader<'a> {
    pub(crate) rooms: &'a Rooms,
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) reader: Reader<'a>,
    pub(crate) filter: &'a SyncFilter,
    /// Whether the client wants all state, whatever it has seen.
    pub(crate) full_state: bool,
}

/// The part of a room's time that one sync covers: after `since` (all of it when absent), up
/// to and including `until`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) since: Option<i64>,
    pub(crate) until: i64,
}

struct Slice {
    events: Vec<StoredEvent>,
    limited: bool,
    /// The boundary before the first event.
    begin: i64,
}

impl RoomReader<'_> {
    /// A room that the user is in: what happened in it after `since`, and whether they have come
    /// in since then.
    pub(crate) async fn joined(
        &self,
        room: &Room,
        since: Option<i64>,
    ) -> Result<(JoinedRoom, bool), StoreError> {
        let span = Span {
            since,
            until: self.snapshot.head().get(),
        };
        let history = self
            .rooms
            .history(self.snapshot, room, self.reader.user_id)
            .await?;
        // Who comes in between gets the room from its beginning.
        let came_in = since.is_none_or(|since| !was_in(&history, since));
        let span = Span {
            since: since.filter(|_| !came_in),
            ..span
        };
        let slice = self.slice(room, &history, span).await?;
        let (state, summary) = self.state(room, span, &slice).await?;
        let told = JoinedRoom {
            summary,
            state: self.state_events(&state),
            timeline: self.timeline(room, &history, &slice).await?,
            ..JoinedRoom::default()
        };
        Ok((told, came_in))
    }

    /// A room that the user left or was sent out of, up to the leaving.
    pub(crate) async fn left(
        &self,
        room: &Room,
        membership: &Membership,
        since: Option<i64>,
    ) -> Result<LeftRoom, StoreError> {
        let history = self
            .rooms
            .history(self.snapshot, room, self.reader.user_id)
            .await?;
        let since_in = since.filter(|since| was_in(&history, *since));
        let came_and_went = history.was_joined_after(since.unwrap_or(i64::MIN));
        if since_in.is_none() && !came_and_went {
            return self.declined(room, membership).await;
        }
        // What became of the room after they left is not theirs to know, also when they were
        // asked in again later, or banned.
        let end = history.state_before().unwrap_or(i64::MIN);
        let span = Span {
            since: since_in,
            until: membership.pos.min(end.saturating_sub(1)),
        };
        let slice = self.slice(room, &history, span).await?;
        let (state, _) = self.state(room, span, &slice).await?;
        let mut timeline = self.timeline(room, &history, &slice).await?;
        if membership.pos > span.until {
            timeline
                .events
                .extend(self.own_member_event(room, membership).await?);
        }
        Ok(LeftRoom {
            state: self.state_events(&state),
            timeline,
            account_data: Events::default(),
        })
    }

    /// One who was not in learns of the end of the invitation, and nothing else.
    async fn declined(&self, room: &Room, membership: &Membership) -> Result<LeftRoom, StoreError> {
        let events = self.own_member_event(room, membership).await?;
        let timeline = Timeline {
            events: events.into_iter().collect(),
            ..Timeline::default()
        };
        Ok(LeftRoom {
            timeline,
            ..LeftRoom::default()
        })
    }

    async fn own_member_event(
        &self,
        room: &Room,
        membership: &Membership,
    ) -> Result<Option<ClientEvent>, StoreError> {
        let rooms = self.rooms;
        let event = rooms
            .event(self.snapshot, room, &membership.event_id)
            .await?;
        Ok(event.map(|event| timeline_event(&event, self.reader, Beside::default())))
    }

    /// What an invited or knocking user may know of a room, their own member event included.
    pub(crate) async fn stripped(
        &self,
        room: &Room,
        membership: &Membership,
    ) -> Result<Vec<ClientEvent>, StoreError> {
        let before = membership.pos.saturating_add(1);
        let mut events = Vec::new();
        for kind in [
            "m.room.create",
            "m.room.join_rules",
            "m.room.name",
            "m.room.topic",
            "m.room.avatar",
            "m.room.canonical_alias",
            "m.room.encryption",
        ] {
            let found = self
                .rooms
                .state_event_before(self.snapshot, room, kind, "", before);
            if let Some(event) = found.await?
                && is_in_stripped_state(event.event_type())
            {
                events.push(stripped_event(&event));
            }
        }
        let own = self
            .rooms
            .event(self.snapshot, room, &membership.event_id)
            .await?;
        if let Some(own) = own {
            let inviter = own.pdu.sender().as_str().to_owned();
            let shown = self
                .rooms
                .state_event_before(self.snapshot, room, "m.room.member", &inviter, before)
                .await?;
            if let Some(shown) = shown.filter(|shown| shown.event_id() != own.pdu.event_id()) {
                events.push(stripped_event(&shown));
            }
            events.push(stripped_event(&own.pdu));
        }
        Ok(events)
    }

    /// The newest events of the span that the user may see and wants.
    async fn slice(&self, room: &Room, history: &History, span: Span) -> Result<Slice, StoreError> {
        let filter = &self.filter.timeline;
        let wanted = filter
            .limit
            .unwrap_or(DEFAULT_TIMELINE)
            .min(LONGEST_TIMELINE);
        let from = span.until.saturating_add(1);
        if !filter.matches_room(&room.room_id) {
            return Ok(Slice {
                events: Vec::new(),
                limited: false,
                begin: from,
            });
        }
        let request = PageRequest {
            from,
            to: span.since.map(|since| since + 1),
            direction: Direction::Backward,
            // One more tells whether there are more.
            limit: wanted + 1,
            filter,
            // State that changed where the reader may not look would be told nowhere.
            unbroken: true,
        };
        let page = self
            .rooms
            .page(self.snapshot, room, history, &request)
            .await?;
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
        })
    }

    /// The state that the timeline builds on: all of it, or what changed before its beginning; and
    /// the room's summary, if that may have changed.
    async fn state(
        &self,
        room: &Room,
        span: Span,
        slice: &Slice,
    ) -> Result<(Vec<Arc<Pdu>>, Summary), StoreError> {
        let since = span.since.filter(|_| !self.full_state);
        let mut state = match since {
            Some(since) => {
                let last_before = slice.begin.saturating_sub(1).min(span.until);
                let changed = self
                    .rooms
                    .state_between(self.snapshot, room, since, last_before);
                changed.await?
            }
            None => {
                self.rooms
                    .state_before(self.snapshot, room, slice.begin)
                    .await?
            }
        };
        let shown = |event: &Arc<Pdu>| {
            let mut shown = slice.events.iter().map(|event| event.pdu.event_id());
            shown.any(|id| id == event.event_id())
        };
        state.retain(|event| !shown(event));
        let summary = match since.is_none() || is_summary_changed(&state, slice) {
            true => self.summary(room).await?,
            false => Summary::default(),
        };
        if self.filter.lazy_load_members() {
            let heroes = summary.heroes.iter().flatten();
            let speakers = slice.events.iter().map(|event| event.pdu.sender());
            let mut wanted: BTreeSet<&UserId> =
                heroes.map(|hero| &**hero).chain(speakers).collect();
            if since.is_none() {
                wanted.insert(self.reader.user_id);
                state.retain(|event| match event.state_slot() {
                    Some(("m.room.member", user)) => {
                        wanted.iter().any(|wanted| wanted.as_str() == user)
                    }
                    _ => true,
                });
            }
            self.add_members(room, slice, wanted, &mut state).await?;
        }
        Ok((state, summary))
    }

    /// Under lazy loading: adds the members whose events are shown, and who make the room's name.
    ///
    /// What changed since the client's token stays: it may know those members already, and would
    /// not learn of it otherwise.
    async fn add_members(
        &self,
        room: &Room,
        slice: &Slice,
        wanted: BTreeSet<&UserId>,
        state: &mut Vec<Arc<Pdu>>,
    ) -> Result<(), StoreError> {
        for user in wanted {
            let slot = ("m.room.member", user.as_str());
            if state.iter().any(|event| event.state_slot() == Some(slot)) {
                continue;
            }
            let (kind, key) = slot;
            let rooms = self.rooms;
            let before = rooms.state_event_before(self.snapshot, room, kind, key, slice.begin);
            state.extend(before.await?);
        }
        Ok(())
    }

    fn state_events(&self, state: &[Arc<Pdu>]) -> Events {
        let filter = &self.filter.state;
        let wanted = |event: &&Arc<Pdu>| filter.passes(event);
        let render = |event: &Arc<Pdu>| state_event(event, self.reader.now, None);
        Events {
            events: state.iter().filter(wanted).map(render).collect(),
        }
    }

    async fn timeline(
        &self,
        room: &Room,
        history: &History,
        slice: &Slice,
    ) -> Result<Timeline, StoreError> {
        let mut events = Vec::with_capacity(slice.events.len());
        for event in &slice.events {
            let because = match &event.redacted_by {
                Some(by) => self.rooms.event(self.snapshot, room, by).await?,
                None => None,
            };
            let because =
                because.map(|event| timeline_event(&event, self.reader, Beside::default()));
            let replaced = match event.pdu.state_slot() {
                Some((kind, key)) => {
                    let before =
                        self.rooms
                            .state_event_before(self.snapshot, room, kind, key, event.ord);
                    before.await?
                }
                None => None,
            };
            let membership = history.membership_before(event.ord + 1).to_string();
            let beside = Beside {
                membership: Some(&membership),
                prev_content: replaced.as_ref().map(|event| event.content()),
                redacted_because: because.as_deref(),
                room_id: None,
            };
            events.push(timeline_event(event, self.reader, beside));
        }
        let prev_batch = Some(boundary_token(slice.begin));
        Ok(Timeline {
            events,
            limited: slice.limited,
            prev_batch,
        })
    }

    async fn summary(&self, room: &Room) -> Result<Summary, StoreError> {
        let counts = self.rooms.member_counts(self.snapshot, room.room).await?;
        Ok(Summary {
            heroes: self.heroes(room),
            joined_member_count: Some(counts.joined),
            invited_member_count: Some(counts.invited),
        })
    }

    /// Some of the others, for a room that has neither name nor alias.
    fn heroes(&self, room: &Room) -> Option<Vec<OwnedUserId>> {
        if room.state.name().is_some() || room.state.canonical_alias().is_some() {
            return None;
        }
        let others = |membership: MembershipState| {
            let own = self.reader.user_id;
            room.state
                .members_with(membership)
                .map(|(user, event)| (event.origin_server_ts(), user.to_owned()))
                .filter(move |(_, user)| user != own)
        };
        let mut heroes: Vec<_> = others(MembershipState::Join)
            .chain(others(MembershipState::Invite))
            .collect();
        if heroes.is_empty() {
            heroes = others(MembershipState::Leave)
                .chain(others(MembershipState::Ban))
                .collect();
        }
        heroes.sort();
        Some(
            heroes
                .into_iter()
                .take(HEROES)
                .map(|(_, user)| user)
                .collect(),
        )
    }
}

/// Whether the user was in the room at a position.
fn was_in(history: &History, pos: i64) -> bool {
    history.membership_before(pos.saturating_add(1)) == MembershipState::Join
}

/// Whether who is in a room, or what makes its name, may have changed.
fn is_summary_changed(state: &[Arc<Pdu>], slice: &Slice) -> bool {
    let makes_it = |pdu: &Pdu| {
        matches!(
            pdu.state_slot(),
            Some(("m.room.member", _) | ("m.room.name" | "m.room.canonical_alias", ""))
        )
    };
    slice.limited
        || state.iter().any(|event| makes_it(event))
        || slice.events.iter().any(|event| makes_it(&event.pdu))
}

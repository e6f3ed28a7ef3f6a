//! The state that a room's timeline builds on, and what makes the room's name.

use std::{collections::BTreeSet, sync::Arc};

use model::{
    event::Pdu,
    room_state::{RoomState, StateView},
    time::Timestamp,
};
use rooms::{MemberCounts, Room};
use ruma::{OwnedUserId, UserId, events::room::member::MembershipState};
use store::StoreError;

use crate::{
    render::state_event,
    response::{Events, StateAt, Summary},
    rooms_part::{RoomReader, Slice, Span},
};

/// How many members make the name of a nameless room.
const HEROES: usize = 5;

impl RoomReader<'_> {
    /// The state that the timeline builds on, or ends with: all of it, or what changed up to there;
    /// and the room's summary, if that may have changed. In the snapshot, the state changed last at
    /// `as_of`, if that is known.
    pub(crate) async fn state(
        &self,
        room: &Room,
        span: Span,
        slice: &Slice,
        as_of: Option<i64>,
    ) -> Result<(Vec<Arc<Pdu>>, Summary), StoreError> {
        // Whether what is in memory is the state of the snapshot.
        let is_known = as_of == Some(room.state_pos().get());
        let since = span.since.filter(|_| !self.full_state);
        let place = self.state_place(span, slice);
        let state_pos = room.state_pos().get();
        let is_that_of_place = is_known && state_pos < place;
        let lazy = self.filter.lazy_load_members();
        let mut state: Vec<Arc<Pdu>> = match since {
            Some(since) if is_known && state_pos <= since => Vec::new(),
            Some(since) => {
                let last_before = place.saturating_sub(1).min(span.until);
                let changed = self
                    .rooms
                    .state_between(self.snapshot, room, since, last_before);
                changed.await?
            }
            None if is_that_of_place && lazy => room
                .state
                .of_other_types("m.room.member")
                .cloned()
                .collect(),
            None if is_that_of_place => room.state.iter().cloned().collect(),
            None => self.rooms.state_before(self.snapshot, room, place).await?,
        };
        if self.state_at == StateAt::Start {
            let shown = |event: &Arc<Pdu>| {
                let mut shown = slice.events.iter().map(|event| event.pdu.event_id());
                shown.any(|id| id == event.event_id())
            };
            state.retain(|event| !shown(event));
        }
        let summary = match since.is_none() || is_summary_changed(&state, slice) {
            true => self.summary(room, is_known).await?,
            false => Summary::default(),
        };
        if lazy {
            let heroes = summary.heroes.iter().flatten();
            let speakers = slice.events.iter().map(|event| event.pdu.sender());
            let mut wanted: BTreeSet<&UserId> =
                heroes.map(|hero| &**hero).chain(speakers).collect();
            wanted.extend(self.shown_members(slice));
            if since.is_none() {
                wanted.insert(self.reader.user_id);
                state.retain(|event| match event.state_slot() {
                    Some(("m.room.member", user)) => {
                        wanted.iter().any(|wanted| wanted.as_str() == user)
                    }
                    _ => true,
                });
            }
            let known = is_that_of_place.then_some(&*room.state);
            self.add_members(room, (place, known), wanted, &mut state)
                .await?;
        }
        Ok((state, summary))
    }

    /// The place in the timeline before which the state stands that is told.
    fn state_place(&self, span: Span, slice: &Slice) -> i64 {
        match self.state_at {
            StateAt::Start => slice.begin,
            StateAt::End | StateAt::EndByEarlyName => span.until.saturating_add(1),
        }
    }

    /// Whose member events the timeline shows, where the client does not learn of them from there.
    fn shown_members<'s>(&self, slice: &'s Slice) -> impl Iterator<Item = &'s UserId> {
        let learns = self.state_at == StateAt::Start;
        let events = slice.events.iter().filter(move |_| !learns);
        events.filter_map(|event| match event.pdu.state_slot() {
            Some(("m.room.member", user)) => <&UserId>::try_from(user).ok(),
            _ => None,
        })
    }

    /// Under lazy loading: adds the members whose events are shown, and who make the room's name.
    ///
    /// What changed since the client's token stays: it may know those members already, and would
    /// not learn of it otherwise.
    async fn add_members(
        &self,
        room: &Room,
        (place, known): (i64, Option<&RoomState>),
        wanted: BTreeSet<&UserId>,
        state: &mut Vec<Arc<Pdu>>,
    ) -> Result<(), StoreError> {
        for user in wanted {
            let slot = ("m.room.member", user.as_str());
            if state.iter().any(|event| event.state_slot() == Some(slot)) {
                continue;
            }
            let (kind, key) = slot;
            if let Some(known) = known {
                state.extend(known.get(kind, key).cloned());
                continue;
            }
            let rooms = self.rooms;
            let before = rooms.state_event_before(self.snapshot, room, kind, key, place);
            state.extend(before.await?);
        }
        Ok(())
    }

    pub(crate) fn state_events(&self, state: &[Arc<Pdu>]) -> Events {
        let filter = &self.filter.state;
        let wanted = |event: &&Arc<Pdu>| filter.passes(event);
        let render = |event: &Arc<Pdu>| {
            let told = state_event(event, self.reader.now, None);
            self.formed(event, told)
        };
        Events {
            events: state.iter().filter(wanted).map(render).collect(),
        }
    }

    async fn summary(&self, room: &Room, is_known: bool) -> Result<Summary, StoreError> {
        let counts = match is_known {
            true => MemberCounts {
                joined: room.state.joined_count(),
                invited: room.state.invited_count(),
            },
            false => self.rooms.member_counts(self.snapshot, room.room).await?,
        };
        Ok(Summary {
            heroes: self.heroes(room),
            joined_member_count: Some(counts.joined),
            invited_member_count: Some(counts.invited),
        })
    }

    /// Some of the others, for a room that has neither name nor alias.
    pub(crate) fn heroes(&self, room: &Room) -> Option<Vec<OwnedUserId>> {
        if room.state.name().is_some() || room.state.canonical_alias().is_some() {
            return None;
        }
        let own = self.reader.user_id;
        let others = |membership| {
            let members = room.state.members_with(membership);
            members.filter(move |(user, _)| *user != own)
        };
        let mut heroes =
            first_of(others(MembershipState::Join).chain(others(MembershipState::Invite)));
        if heroes.is_empty() {
            heroes = first_of(others(MembershipState::Leave).chain(others(MembershipState::Ban)));
        }
        Some(
            heroes
                .into_iter()
                .map(|(_, user)| user.to_owned())
                .collect(),
        )
    }
}

/// Those who came first, of members of a room that may have ten thousand.
fn first_of<'a>(
    members: impl Iterator<Item = (&'a UserId, &'a Arc<Pdu>)>,
) -> BTreeSet<(Timestamp, &'a UserId)> {
    let mut first = BTreeSet::new();
    for (user, event) in members {
        first.insert((event.origin_server_ts(), user));
        if first.len() > HEROES {
            first.pop_last();
        }
    }
    first
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

//! What is told of one room: all of it, or what changed since the client was told last.

use std::{collections::BTreeSet, sync::Arc};

use model::{event::Pdu, filter::SyncFilter};
use rooms::{History, Membership, Room};
use ruma::{OwnedEventId, OwnedMxcUri, UserId, events::room::member::MembershipState};
use serde::Deserialize;
use store::StoreError;

use super::{
    answer::Moment,
    known::KnownRoom,
    request::Wanted,
    response::{Hero, SlidingRoom},
    view::stamp,
};
use crate::{
    render::state_event,
    response::ClientEvent,
    rooms_part::{Slice, Span, was_in},
};

/// What became of one room in an answer.
pub(super) struct Told {
    /// What the client is told, if there is anything.
    pub(super) update: Option<SlidingRoom>,
    /// After what it is told; nothing where it is told in full.
    pub(super) since: Option<i64>,
    /// The events of a timeline that is told in full.
    pub(super) shown: Vec<OwnedEventId>,
    /// Whether the user has no more to do with the room.
    pub(super) is_over: bool,
}

impl Told {
    fn nothing(since: Option<i64>) -> Self {
        Self {
            update: None,
            since,
            shown: Vec::new(),
            is_over: false,
        }
    }
}

/// One room that the user is in, and what the client wants and has of it.
struct Telling<'a> {
    room: &'a Room,
    membership: &'a Membership,
    wanted: &'a Wanted,
    before: Option<KnownRoom>,
    history: &'a History,
    /// After what it is told; nothing where it is told in full.
    since: Option<i64>,
}

impl Telling<'_> {
    /// Whether the state is told as if the client had none of it.
    fn state_anew(&self) -> bool {
        let asked = self.wanted.hash;
        self.since.is_none() || self.before.is_none_or(|before| before.state != asked)
    }

    /// Whether the client wants a longer timeline than it was told.
    fn is_expanded(&self) -> bool {
        let longer = |before: KnownRoom| before.timeline < self.wanted.timeline;
        self.since.is_some() && self.before.is_some_and(longer)
    }
}

impl Moment<'_> {
    /// Tells of a room, according to where the user stands in it.
    pub(super) async fn tell_room(
        &self,
        membership: &Membership,
        wanted: &Wanted,
        before: Option<KnownRoom>,
    ) -> Result<Told, StoreError> {
        let since = before.and_then(|before| before.until.or(self.asked.since_pos()));
        let nothing = Told::nothing(since);
        let is_joined = membership.membership == MembershipState::Join;
        if is_joined && !self.may_have_news(membership, wanted, before, since) {
            return Ok(nothing);
        }
        let has_moved = since.is_none_or(|since| membership.pos > since);
        let Some(room) = self.room(membership.room).await? else {
            return Ok(nothing);
        };
        match membership.membership {
            MembershipState::Join => self.joined(&room, membership, wanted, before, since).await,
            MembershipState::Invite | MembershipState::Knock if has_moved => {
                let update = self.asked_in(&room, membership).await?;
                Ok(Told {
                    update: Some(update),
                    ..nothing
                })
            }
            MembershipState::Invite | MembershipState::Knock => Ok(nothing),
            _ => Ok(Told {
                update: Some(self.left(&room, membership, wanted, since).await?),
                is_over: true,
                ..nothing
            }),
        }
    }

    /// Whether there may be something to tell of a room: most rooms end here.
    fn may_have_news(
        &self,
        membership: &Membership,
        wanted: &Wanted,
        before: Option<KnownRoom>,
        since: Option<i64>,
    ) -> bool {
        let (Some(before), Some(since)) = (before, since) else {
            return true;
        };
        membership.last_pos > since
            || before.state != wanted.hash
            || before.timeline < wanted.timeline
            || self.is_read_on(membership.room, before)
    }

    /// Whether the user may have read on since the client was told how much is unread.
    fn is_read_on(&self, room: i64, before: KnownRoom) -> bool {
        let own = self.asked.syncer.user;
        let mut receipts = self.receipts.get(&room).into_iter().flatten();
        before.until.is_some() || receipts.any(|receipt| receipt.user == own)
    }

    async fn joined(
        &self,
        room: &Room,
        membership: &Membership,
        wanted: &Wanted,
        before: Option<KnownRoom>,
        since: Option<i64>,
    ) -> Result<Told, StoreError> {
        let rooms = &self.inner().rooms;
        let user_id = self.asked.syncer.user_id;
        let history = rooms
            .history_as_of(&self.snapshot, room, user_id, membership.state_pos)
            .await?;
        // Who comes in between gets the room from its beginning.
        let since = since.filter(|since| was_in(&history, *since));
        let telling = Telling {
            room,
            membership,
            wanted,
            before,
            history: &history,
            since,
        };
        let (mut update, shown) = self.timeline(&telling).await?;
        let news = self.add_state(&telling, &shown, &mut update).await?;
        let is_read = before.is_some_and(|before| self.is_read_on(room.room, before));
        let is_empty = update.timeline.is_empty()
            && !update.limited
            && update.required_state.is_empty()
            && !news
            && !is_read;
        if since.is_some() && is_empty {
            return Ok(Told::nothing(since));
        }
        self.add_counts(&telling, &mut update).await?;
        let shown = shown
            .events
            .iter()
            .map(|event| event.pdu.event_id().to_owned());
        Ok(Told {
            update: Some(update),
            shown: shown.collect(),
            ..Told::nothing(since)
        })
    }

    /// The newest events that the client does not have, or wants more of.
    async fn timeline(&self, telling: &Telling<'_>) -> Result<(SlidingRoom, Slice), StoreError> {
        let Telling {
            room,
            history,
            since,
            ..
        } = *telling;
        let mut filter = SyncFilter::default();
        filter.timeline.limit = usize::try_from(telling.wanted.timeline).ok();
        let reader = self.reader(&filter);
        let expanded = telling.is_expanded();
        let span = Span {
            since: since.filter(|_| !expanded),
            until: self.head(),
        };
        let slice = reader
            .slice(room, history, span, Some(telling.membership.last_pos))
            .await?;
        let timeline = reader.timeline(room, history, &slice).await?;
        // What happened since the position, of what is shown.
        let live_after = since.or(self.asked.since_pos()).unwrap_or(i64::MAX);
        let live = slice.events.iter().filter(|event| event.ord > live_after);
        let update = SlidingRoom {
            initial: since.is_none(),
            num_live: Some(live.count()),
            timeline: timeline.events,
            prev_batch: timeline.prev_batch,
            limited: timeline.limited,
            expanded_timeline: expanded,
            ..SlidingRoom::default()
        };
        Ok((update, slice))
    }

    /// The state that was asked for, and what the room is called; says whether the latter changed.
    async fn add_state(
        &self,
        telling: &Telling<'_>,
        slice: &Slice,
        update: &mut SlidingRoom,
    ) -> Result<bool, StoreError> {
        let Telling {
            room,
            wanted,
            since,
            ..
        } = *telling;
        let speakers: BTreeSet<&UserId> = slice
            .events
            .iter()
            .map(|event| event.pdu.sender())
            .collect();
        let changed = self.changed_state(telling).await?;
        let state = match telling.state_anew() {
            true => wanted.state.of(&room.state, &speakers),
            false => wanted.state.of_change(&changed, &room.state, &speakers),
        };
        let now = self.inner().clock.now();
        let render = |event: &Arc<Pdu>| -> ClientEvent { state_event(event, now, None) };
        update.required_state = state.iter().map(render).collect();
        let is_told = since.is_none() || changed.iter().any(|event| makes_its_face(event));
        if is_told {
            self.add_face(room, since.is_none(), update);
        }
        Ok(is_told)
    }

    /// What became of the state since the client was told last.
    async fn changed_state(&self, telling: &Telling<'_>) -> Result<Vec<Arc<Pdu>>, StoreError> {
        let room = telling.room;
        let Some(since) = telling
            .since
            .filter(|since| room.state_pos().get() > *since)
        else {
            return Ok(Vec::new());
        };
        let rooms = &self.inner().rooms;
        rooms
            .state_between(&self.snapshot, room, since, self.head())
            .await
    }

    /// What the room is called and looks like, and how many are in it.
    fn add_face(&self, room: &Room, is_new: bool, update: &mut SlidingRoom) {
        let filter = SyncFilter::default();
        update.name = room.state.name();
        let avatar = room.state.avatar_url();
        update.avatar = (!is_new || avatar.is_some()).then_some(avatar);
        let heroes = self.reader(&filter).heroes(room).into_iter().flatten();
        let heroes: Vec<Hero> = heroes.map(|user| hero(room, user)).collect();
        update.heroes = (!heroes.is_empty()).then_some(heroes);
        update.joined_count = Some(room.state.joined_count());
        update.invited_count = Some(room.state.invited_count());
    }

    /// How much is unread, and where the room stands.
    async fn add_counts(
        &self,
        telling: &Telling<'_>,
        update: &mut SlidingRoom,
    ) -> Result<(), StoreError> {
        let inner = self.inner();
        let user = (self.asked.syncer.user, self.asked.syncer.user_id);
        let unread = inner
            .rooms
            .unread(&self.snapshot, telling.room, user, &self.judge);
        let counted = unread.await?;
        update.unread = Some(counted.all());
        update.is_dm = Some(self.direct.has(&telling.room.room_id));
        update.bump_stamp = Some(stamp(telling.membership));
        Ok(())
    }

    /// A room that the user is asked into, or asks to be let into.
    async fn asked_in(
        &self,
        room: &Room,
        membership: &Membership,
    ) -> Result<SlidingRoom, StoreError> {
        let filter = SyncFilter::default();
        let stripped = self.reader(&filter).stripped(room, membership).await?;
        Ok(SlidingRoom {
            initial: true,
            is_dm: Some(self.direct.has(&room.room_id)),
            invite_state: Some(stripped),
            bump_stamp: Some(stamp(membership)),
            ..SlidingRoom::default()
        })
    }

    /// A room that the user has left, up to the leaving.
    async fn left(
        &self,
        room: &Room,
        membership: &Membership,
        wanted: &Wanted,
        since: Option<i64>,
    ) -> Result<SlidingRoom, StoreError> {
        let mut filter = SyncFilter::default();
        filter.timeline.limit = usize::try_from(wanted.timeline.max(1)).ok();
        let reader = self.reader(&filter);
        let left = reader.left(room, membership, since).await?;
        let rooms = &self.inner().rooms;
        let own = rooms
            .event(&self.snapshot, room, &membership.event_id)
            .await?;
        let now = self.inner().clock.now();
        let own = own.map(|event| state_event(&event.pdu, now, None));
        Ok(SlidingRoom {
            required_state: own.into_iter().collect(),
            num_live: Some(left.timeline.events.len()),
            timeline: left.timeline.events,
            prev_batch: left.timeline.prev_batch,
            limited: left.timeline.limited,
            bump_stamp: Some(stamp(membership)),
            ..SlidingRoom::default()
        })
    }
}

/// Whether an event may change what a room is called and looks like, or how many are in it.
fn makes_its_face(event: &Pdu) -> bool {
    matches!(
        event.state_slot(),
        Some(
            ("m.room.member", _)
                | (
                    "m.room.name" | "m.room.avatar" | "m.room.canonical_alias",
                    ""
                )
        )
    )
}

fn hero(room: &Room, user_id: ruma::OwnedUserId) -> Hero {
    #[derive(Default, Deserialize)]
    struct Profile {
        #[serde(default)]
        displayname: Option<String>,
        #[serde(default)]
        avatar_url: Option<OwnedMxcUri>,
    }
    let event = model::room_state::StateView::get(&*room.state, "m.room.member", user_id.as_str());
    let profile = event.and_then(|event| event.content_as::<Profile>().ok());
    let Profile {
        displayname,
        avatar_url,
    } = profile.unwrap_or_default();
    Hero {
        user_id,
        displayname,
        avatar_url,
    }
}

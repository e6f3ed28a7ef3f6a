//! Which rooms are in view: the windows onto the lists, and what is subscribed to.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap, hash_map::Entry},
    sync::Arc,
};

use rooms::{Membership, Room};
use ruma::{
    OwnedRoomId, api::client::sync::sync_events::v5::request::ListFilters,
    directory::RoomTypeFilter, events::room::member::MembershipState,
};
use serde_json::{Value, value::RawValue};
use store::StoreError;

use super::{
    answer::{Asked, Moment},
    request::{ByList, Wanted},
    response::ListLength,
};

/// The rooms in view, and how they came there.
#[derive(Default)]
pub(super) struct View {
    pub(super) rooms: HashMap<i64, InView>,
    /// Those that are told first stand first.
    pub(super) order: Vec<i64>,
    pub(super) lists: ByList<ListLength>,
}

/// One room in view.
pub(super) struct InView {
    pub(super) wanted: Wanted,
    /// The places of the lists that have it, in the request.
    pub(super) in_lists: Vec<usize>,
    /// Its id, if it is subscribed to.
    pub(super) subscribed: Option<OwnedRoomId>,
}

/// The rooms that the user marked as direct chats.
#[derive(Default)]
pub(super) struct Direct(BTreeSet<OwnedRoomId>);

impl Direct {
    pub(super) const KIND: &str = "m.direct";

    /// Reads what clients wrote; what is not as specified marks nothing.
    pub(super) fn read(content: Option<&RawValue>) -> Self {
        let content = content.map_or("{}", RawValue::get);
        let by_user: BTreeMap<String, Value> = serde_json::from_str(content).unwrap_or_default();
        let rooms = by_user.values().filter_map(Value::as_array).flatten();
        let rooms = rooms.filter_map(|room| room.as_str()?.try_into().ok());
        Self(rooms.collect())
    }

    pub(super) fn has(&self, room: &OwnedRoomId) -> bool {
        self.0.contains(room)
    }
}

/// Whether the user wants to see a room at all.
///
/// Who has left is told so once, where the client knows the room.
fn is_there(membership: &Membership, asked: &Asked<'_>) -> bool {
    match membership.membership {
        MembershipState::Join | MembershipState::Invite | MembershipState::Knock => true,
        _ => !membership.forgotten && asked.knows(membership.room),
    }
}

/// What orders lists: when a room was last talked in, or when the user came to stand so.
pub(super) fn stamp(membership: &Membership) -> i64 {
    match membership.membership {
        MembershipState::Join => membership.bump_pos,
        _ => membership.pos,
    }
}

impl Moment<'_> {
    /// What the request looks at.
    pub(super) async fn view(&self) -> Result<View, StoreError> {
        let asked = self.asked;
        let mut all: Vec<&Membership> = self.memberships.iter().collect();
        all.retain(|membership| is_there(membership, asked));
        all.sort_unstable_by_key(|membership| Reverse((stamp(membership), membership.room)));
        let mut view = View::default();
        self.add_subscriptions(&all, &mut view).await?;
        for (number, (name, list)) in asked.request.lists.iter().enumerate() {
            let mut passing = Vec::with_capacity(all.len());
            for membership in &all {
                if self.passes(membership, list.filters.as_ref()).await? {
                    passing.push(membership.room);
                }
            }
            let count = passing.len();
            view.lists.insert(name.clone(), ListLength { count });
            for range in &list.ranges {
                for room in &passing[range.start.min(count)..range.end.min(count)] {
                    view.see(*room, &list.wanted).in_lists.push(number);
                }
            }
        }
        Ok(view)
    }

    async fn add_subscriptions(
        &self,
        all: &[&Membership],
        view: &mut View,
    ) -> Result<(), StoreError> {
        let there: BTreeSet<i64> = all.iter().map(|membership| membership.room).collect();
        let names = self.inner().names();
        for (room_id, wanted) in &self.asked.request.subscriptions {
            let known = names.room(&self.snapshot, room_id.as_str()).await?;
            if let Some(room) = known.filter(|room| there.contains(room)) {
                view.see(room, wanted).subscribed = Some(room_id.clone());
            }
        }
        Ok(())
    }

    /// Whether a room passes the filters of a list.
    async fn passes(
        &self,
        membership: &Membership,
        filters: Option<&ListFilters>,
    ) -> Result<bool, StoreError> {
        let is_invite = membership.membership == MembershipState::Invite;
        if !self.is_welcome(membership).await? {
            return Ok(false);
        }
        let Some(filters) = filters else {
            return Ok(true);
        };
        if filters.is_invite.is_some_and(|wanted| wanted != is_invite) {
            return Ok(false);
        }
        if let Some(wanted) = filters.is_dm
            && wanted != self.direct.has(&self.room_id(membership.room).await?)
        {
            return Ok(false);
        }
        let needs_state = filters.is_encrypted.is_some()
            || !filters.room_types.is_empty()
            || !filters.not_room_types.is_empty();
        if !needs_state {
            return Ok(true);
        }
        let Some(room) = self.room(membership.room).await? else {
            return Ok(false);
        };
        let encrypted = room.state.is_encrypted();
        let room_type = room.state.create().room_type.clone();
        let is = |kind: &RoomTypeFilter| *kind == RoomTypeFilter::from(room_type.clone());
        Ok(filters
            .is_encrypted
            .is_none_or(|wanted| wanted == encrypted)
            && (filters.room_types.is_empty() || filters.room_types.iter().any(is))
            && !filters.not_room_types.iter().any(is))
    }

    /// A room as it stands at this moment, or later without a change of its state.
    pub(super) async fn room(&self, room: i64) -> Result<Option<Arc<Room>>, StoreError> {
        self.inner().rooms.room_at(&self.snapshot, room).await
    }
}

impl View {
    fn see(&mut self, room: i64, wanted: &Wanted) -> &mut InView {
        match self.rooms.entry(room) {
            Entry::Occupied(seen) => {
                let seen = seen.into_mut();
                seen.wanted.join(wanted);
                seen
            }
            Entry::Vacant(place) => {
                self.order.push(room);
                place.insert(InView {
                    wanted: wanted.clone(),
                    in_lists: Vec::new(),
                    subscribed: None,
                })
            }
        }
    }
}

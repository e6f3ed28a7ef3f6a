//! One answer: everything that changed in view since a position, read at one moment.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use model::filter::SyncFilter;
use rooms::{Judge, Membership, ReceiptEntry};
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId, events::room::member::MembershipState};
use store::{Pos, Snapshot, StoreError};

use super::{
    known::{Known, KnownRoom},
    request::SlidingRequest,
    response::SlidingResponse,
    room::Told,
    view::{Direct, View},
};
use crate::{
    SyncError, SyncToken, Syncer, answer::joined_rooms, reading::Reading, render::Reader,
    response::StateAt, rooms_part::RoomReader, sync::Inner,
};

/// How many rooms are told of in full in one answer, at most: the next one, which does not wait,
/// goes on.
const MOST_NEW_ROOMS: usize = 200;

/// What is asked, and what the client knows.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) inner: &'a Inner,
    pub(super) syncer: Syncer<'a>,
    pub(super) request: &'a SlidingRequest,
    pub(super) since: Option<SyncToken>,
    pub(super) known: Option<&'a Known>,
}

/// What one look at the log gives.
pub(super) struct SlidingTurn {
    pub(super) response: SlidingResponse,
    /// The moment that the answer tells of.
    pub(super) token: SyncToken,
    /// What the client knows with it.
    pub(super) known: Known,
    pub(super) head: Pos,
    /// The rooms that the user is in.
    pub(super) joined: Arc<BTreeSet<i64>>,
}

/// What is asked, at one moment.
pub(super) struct Moment<'a> {
    pub(super) asked: &'a Asked<'a>,
    pub(super) snapshot: Snapshot,
    pub(super) memberships: Vec<Membership>,
    pub(super) direct: Direct,
    /// Whose messages and invitations are not told.
    pub(super) ignored: Arc<BTreeSet<OwnedUserId>>,
    pub(super) judge: Judge,
    /// Given since the position, by room.
    pub(super) receipts: HashMap<i64, Vec<ReceiptEntry>>,
}

impl Asked<'_> {
    /// Whether the client was told of a room.
    pub(super) fn knows(&self, room: i64) -> bool {
        self.known_room(room).is_some()
    }

    pub(super) fn known_room(&self, room: i64) -> Option<KnownRoom> {
        self.known?.rooms.get(&room).copied()
    }

    /// The position that the client comes from.
    pub(super) fn since_pos(&self) -> Option<i64> {
        self.since.map(|since| since.pos)
    }

    /// Looks once for news.
    pub(super) async fn turn(&self) -> Result<SlidingTurn, SyncError> {
        self.inner.admit(self.syncer).await?;
        Ok(self.answer().await?)
    }

    async fn answer(&self) -> Result<SlidingTurn, StoreError> {
        let inner = self.inner;
        // Counted before anything is read: what changes meanwhile is told again, not lost.
        let ephemeral = inner.ephemeral.now();
        let moment = self.moment().await?;
        let snapshot = &moment.snapshot;
        let view = moment.view().await?;
        let mut known = moment.out_of_view(&view);
        let mut response = SlidingResponse {
            txn_id: self.request.txn_id.clone(),
            ..SlidingResponse::default()
        };
        let told = moment.tell(&view, &mut known, &mut response).await?;
        moment
            .extend(&view, &told, &mut known, &mut response)
            .await?;
        response.lists = view.lists;
        Ok(SlidingTurn {
            token: SyncToken {
                epoch: snapshot.epoch(),
                pos: snapshot.head().get(),
                to_device_pos: 0,
                ephemeral,
            },
            response,
            known,
            head: snapshot.head(),
            joined: joined_rooms(&moment.memberships),
        })
    }

    async fn moment(&self) -> Result<Moment<'_>, StoreError> {
        let (inner, Syncer { user, user_id, .. }) = (self.inner, self.syncer);
        let snapshot = inner.log.database().snapshot().await?;
        let memberships = inner.rooms.memberships(&snapshot, user).await?;
        let accounts = &inner.accounts;
        let judge = inner.judge(&snapshot, user, user_id).await?;
        // Many connections are for messages to the device alone, and ask for no rooms.
        let asks_for_rooms = self.request.asks_for_rooms();
        let direct = match asks_for_rooms {
            true => {
                let kind = Direct::KIND;
                accounts.account_data_at(&snapshot, user, 0, kind).await?
            }
            false => None,
        };
        let receipts = match self.since_pos() {
            Some(since) if asks_for_rooms => {
                let (rooms, head) = (&inner.rooms, snapshot.head().get());
                rooms.receipts_near(&snapshot, user, since, head).await?
            }
            _ => HashMap::new(),
        };
        Ok(Moment {
            receipts,
            asked: self,
            snapshot,
            memberships,
            direct: Direct::read(direct.as_deref()),
            ignored: Arc::clone(&judge.ignored),
            judge,
        })
    }
}

/// How a room that the user is in was told of, for what is told beside it.
pub(super) struct ToldRoom {
    /// After what the client is told of it; nothing where it is told in full.
    pub(super) since: Option<i64>,
    /// The events of its timeline, where it is told in full.
    pub(super) shown: Vec<OwnedEventId>,
}

impl<'a> Moment<'a> {
    pub(super) fn inner(&self) -> &'a Inner {
        self.asked.inner
    }

    pub(super) fn head(&self) -> i64 {
        self.snapshot.head().get()
    }

    pub(super) async fn room_id(&self, room: i64) -> Result<OwnedRoomId, StoreError> {
        let name = self.inner().names().room_name(&self.snapshot, room).await?;
        let id = OwnedRoomId::try_from(&*name);
        id.map_err(|_| StoreError::Damaged("room_names.name".to_owned()))
    }

    /// Whether a room is told of: not by the invitation of somebody who is ignored.
    pub(super) async fn is_welcome(&self, membership: &Membership) -> Result<bool, StoreError> {
        let is_invite = membership.membership == MembershipState::Invite;
        if !is_invite || self.ignored.is_empty() {
            return Ok(true);
        }
        let Some(room) = self.room(membership.room).await? else {
            return Ok(false);
        };
        let filter = SyncFilter::default();
        let reader = self.reader(&filter);
        Ok(!reader.is_ignored(&room, membership).await?)
    }

    pub(super) fn reader<'m>(&'m self, filter: &'m SyncFilter) -> RoomReader<'m> {
        let syncer = self.asked.syncer;
        RoomReader {
            rooms: &self.inner().rooms,
            snapshot: &self.snapshot,
            reader: Reader {
                device_id: Some(syncer.device_id.as_str()),
                user: syncer.user,
                user_id: syncer.user_id,
                now: self.inner().clock.now(),
            },
            filter,
            ignored: &self.ignored,
            full_state: false,
            state_at: StateAt::Start,
            names_rooms: false,
        }
    }

    /// The readers of `/v3/sync`, from a position on.
    pub(super) fn reading<'m>(
        &'m self,
        filter: &'m SyncFilter,
        since_pos: Option<i64>,
    ) -> Reading<'m> {
        Reading {
            inner: self.inner(),
            snapshot: &self.snapshot,
            syncer: self.asked.syncer,
            filter,
            full_state: false,
            state_at: StateAt::Start,
            since_pos,
            ephemeral_since: self.asked.since.map(|since| since.ephemeral),
        }
    }

    /// What the client knows of rooms before it is told more: those that have gone out of view
    /// stand still where they are.
    fn out_of_view(&self, view: &View) -> Known {
        let mut known = self.asked.known.cloned().unwrap_or_default();
        for (room, known) in &mut known.rooms {
            if !view.rooms.contains_key(room) {
                known.until = known.until.or(self.asked.since_pos());
            }
        }
        known
    }

    /// Tells of the rooms in view, and notes what the client knows then.
    async fn tell(
        &self,
        view: &View,
        known: &mut Known,
        response: &mut SlidingResponse,
    ) -> Result<HashMap<i64, ToldRoom>, StoreError> {
        let memberships: HashMap<i64, &Membership> = self
            .memberships
            .iter()
            .map(|membership| (membership.room, membership))
            .collect();
        let mut told = HashMap::new();
        let mut new_rooms = 0;
        for room in &view.order {
            let (Some(membership), Some(in_view)) = (memberships.get(room), view.rooms.get(room))
            else {
                continue;
            };
            let before = self.asked.known_room(*room);
            if before.is_none() {
                if new_rooms == MOST_NEW_ROOMS {
                    continue;
                }
                new_rooms += 1;
            }
            if !self.is_welcome(membership).await? {
                known.rooms.remove(room);
                continue;
            }
            let Told {
                update,
                since,
                shown,
                is_over,
            } = self.tell_room(membership, &in_view.wanted, before).await?;
            let has_gap = update.as_ref().is_some_and(|update| update.limited);
            if let Some(update) = update {
                response.rooms.insert(self.room_id(*room).await?, update);
            }
            if is_over {
                known.rooms.remove(room);
                continue;
            }
            // What it was told once it still has, unless it begins anew behind a gap.
            let timeline = in_view.wanted.timeline;
            let kept = before.filter(|_| since.is_some() && !has_gap);
            let now = KnownRoom {
                until: None,
                state: in_view.wanted.hash,
                timeline: kept.map_or(timeline, |kept| kept.timeline.max(timeline)),
            };
            known.rooms.insert(*room, now);
            if membership.membership == MembershipState::Join {
                told.insert(*room, ToldRoom { since, shown });
            }
        }
        Ok(told)
    }
}

//! How rooms take part in a batch: lock, link, hash, authorise, seal.

mod aliases;
mod annotations;
mod delayed;
mod events;
mod guests;
mod loading;
pub(crate) mod moved;
mod networks;
mod notices;
mod receipts;
mod restricted;
mod thread_subscriptions;
mod upgrade;
mod writing;

pub(crate) use aliases::{alias_place, hex};

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use model::time::Timestamp;
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, UserId};
use seal::KeySet;
use serde_json::Value;
use store::{
    Applier, CheckContext, Journal, Layered, Pos, StoreError, Touched, Tx, Verdict, Writes,
};

use crate::{
    Room, Rooms, RoomsChange, RoomsOutcome, RoomsRefusal,
    change::{AnnotationHash, TransactionHash},
    create::EVENT_OVERHEAD_BYTES,
    stored::StoredEvent,
    tails::TailStep,
    upgrade::UpgradeStep,
};

/// What one attempt at a batch knows of rooms.
pub struct RoomsWork {
    keys: KeySet,
    user_ids: HashMap<OwnedUserId, i64>,
    room_ids: HashMap<OwnedRoomId, i64>,
    rooms: Layered<i64, Arc<Room>>,
    /// The rooms as they stood before this batch.
    read_rooms: HashMap<i64, Arc<Room>>,
    transactions: Layered<TransactionHash, OwnedEventId>,
    /// Events that are to be redacted, and those of this batch.
    known: Layered<OwnedEventId, StoredEvent>,
    /// The places of events that were read, as far as they stood before this batch.
    places: HashMap<(i64, OwnedEventId), i64>,
    aliases: Layered<[u8; 32], Option<aliases::AliasRow>>,
    /// The events by which annotations stand; `None` once they are redacted.
    annotations: Layered<AnnotationHash, Option<Pos>>,
    receipts: Layered<receipts::ReceiptKey, i64>,
    subscriptions: Layered<thread_subscriptions::SubscriptionKey, thread_subscriptions::Standing>,
    /// Who has forgotten which room, by room and user.
    forgotten: Layered<(i64, i64), bool>,
    /// Where those are who come into rooms that membership elsewhere opens.
    joined_rooms: restricted::JoinedRooms,
    delayed: delayed::DelayedWork,
    /// Whether users are guests: those of whom a change says so, and who change memberships.
    guests: Layered<i64, bool>,
    notices: notices::NoticesWork,
    /// Whether a room was closed to guests who may be in it.
    closed_to_guests: Journal<()>,
    /// The rooms of which an event of the state was redacted.
    rewritten: Layered<i64, ()>,
    /// The rooms in which somebody has read something, or an event was redacted.
    noisy: Layered<i64, ()>,
    /// What becomes of the ends of timelines, by room.
    tails: Journal<(i64, TailStep)>,
    now: Timestamp,
    rows: Rows,
}

/// What will be written.
#[derive(Default)]
struct Rows {
    events: Journal<writing::EventRow>,
    state: Journal<writing::StateRow>,
    memberships: Journal<writing::MembershipRow>,
    transactions: Journal<(TransactionHash, Pos)>,
    /// The moments before which transactions are forgotten.
    old_transactions: Journal<Timestamp>,
    redactions: Journal<writing::RedactionRow>,
    annotations: Journal<(AnnotationHash, Pos)>,
    /// Where annotations stood that are redacted.
    lost_annotations: Journal<Pos>,
    touched_rooms: Journal<i64>,
    aliases: Journal<aliases::AliasWrite>,
    receipts: Journal<receipts::ReceiptRow>,
    subscriptions: Journal<thread_subscriptions::SubscriptionRow>,
    forgotten: Journal<receipts::ForgottenRow>,
    guests: Journal<(i64, bool)>,
    networks: Journal<networks::NetworkRow>,
    notices: Journal<notices::SentRow>,
}

impl Rows {
    fn settle(&mut self, keep: bool) {
        self.events.settle(keep);
        self.state.settle(keep);
        self.memberships.settle(keep);
        self.transactions.settle(keep);
        self.old_transactions.settle(keep);
        self.redactions.settle(keep);
        self.annotations.settle(keep);
        self.lost_annotations.settle(keep);
        self.touched_rooms.settle(keep);
        self.aliases.settle(keep);
        self.receipts.settle(keep);
        self.subscriptions.settle(keep);
        self.forgotten.settle(keep);
        self.guests.settle(keep);
        self.networks.settle(keep);
        self.notices.settle(keep);
    }
}

#[async_trait]
impl Applier for Rooms {
    type Change = RoomsChange;
    type Outcome = RoomsOutcome;
    type Refusal = RoomsRefusal;
    type Work = RoomsWork;

    const KIND: &'static str = "rooms";

    fn size_bytes(change: &RoomsChange) -> usize {
        match change {
            // The PDU, and what its row and indexes take beside it.
            RoomsChange::Delayed(step) => delayed::size_bytes(step),
            RoomsChange::Event(event)
            | RoomsChange::SendGuestOut(event)
            | RoomsChange::Upgrade(
                UpgradeStep::Create { event, .. } | UpgradeStep::IfPermitted(event),
            ) => EVENT_OVERHEAD_BYTES + event.size_bytes,
            _ => 512,
        }
    }

    async fn prepare(&self, tx: &Tx, changes: &[&RoomsChange]) -> Result<RoomsWork, StoreError> {
        self.load(tx, changes).await
    }

    fn check(
        &self,
        work: &mut RoomsWork,
        change: &RoomsChange,
        context: &mut CheckContext<'_>,
    ) -> Result<Verdict<RoomsOutcome>, RoomsRefusal> {
        match change {
            RoomsChange::Event(event) => self.check_event(work, event, context),
            RoomsChange::Upgrade(step) => self.check_upgrade(work, step, context),
            RoomsChange::SetAlias(alias) => self.check_set_alias(work, alias, context),
            RoomsChange::RemoveAlias { alias, user_id } => {
                self.check_remove_alias(work, alias, user_id.as_ref(), context)
            }
            RoomsChange::Receipt(receipt) => check_receipt(work, receipt, context),
            RoomsChange::ThreadSubscription(wanted) => {
                thread_subscriptions::check(work, wanted, context)
            }
            RoomsChange::Forget { room_id, user_id } => {
                check_forget(work, room_id, user_id, context)
            }
            RoomsChange::Publish {
                room_id,
                published,
                by,
            } => check_publish(work, room_id, *published, by.as_deref(), context),
            RoomsChange::List {
                room_id,
                network,
                listed,
            } => networks::check(work, room_id, (network, *listed), context),
            RoomsChange::Delayed(step) => self.check_delayed(work, step, context),
            RoomsChange::Guest { user_id, is_guest } => Ok(guests::check(work, user_id, *is_guest)),
            RoomsChange::NameNotice { user_id, hash } => {
                Ok(notices::check_name(work, user_id, *hash, context))
            }
            RoomsChange::HoldNotices { room_id, user_id } => {
                notices::check_hold(work, room_id, user_id, context)
            }
            RoomsChange::SendGuestOut(event) => self.check_guest_out(work, event, context),
            RoomsChange::ForgetTransactions { before } => {
                work.rows.old_transactions.push(*before);
                Ok(Verdict::Apply(RoomsOutcome::Done))
            }
        }
    }

    fn settle(&self, work: &mut RoomsWork, keep: bool) {
        work.rooms.settle(keep);
        work.transactions.settle(keep);
        work.known.settle(keep);
        work.aliases.settle(keep);
        work.annotations.settle(keep);
        work.receipts.settle(keep);
        work.subscriptions.settle(keep);
        work.forgotten.settle(keep);
        work.delayed.settle(keep);
        work.guests.settle(keep);
        work.closed_to_guests.settle(keep);
        work.rewritten.settle(keep);
        work.noisy.settle(keep);
        work.tails.settle(keep);
        work.notices.settle(keep);
        work.rows.settle(keep);
    }

    fn write(&self, work: &mut RoomsWork, writes: &mut Writes) -> Result<(), StoreError> {
        writing::write(work, writes)
    }

    fn committed(&self, mut work: RoomsWork, last_pos: Pos) {
        if !work.closed_to_guests.take().is_empty() {
            self.closed_to_guests().notify_one();
        }
        let steps = work.tails.take();
        for (key, room) in work.rooms.into_kept() {
            // Also rooms that were only read: they are true at this position.
            self.cache().put(key, room, last_pos);
            self.earlier().forget(key);
        }
        // Behind the rooms: whoever fills a timeline looks there for what has happened since.
        self.tails().take(steps);
    }

    fn tell(&self, work: &RoomsWork, touched: &Touched) -> Option<Value> {
        moved::told(work, touched)
    }

    fn forget(&self, touched: &Touched, last_pos: Pos) {
        if touched.has_kind(Self::KIND) {
            let moved = moved::read(touched);
            for room in touched.rooms() {
                let moved = moved::find(&moved, room);
                self.follow_room(room, moved, last_pos);
                if moved.is_some_and(Moved::only_grows) {
                    self.tails().miss(room);
                } else {
                    self.tails().forget(room);
                }
            }
        }
    }

    fn forget_all(&self, last_pos: Pos) {
        self.cache().forget_all(last_pos);
        self.earlier().forget_all();
        self.tails().forget_all();
        self.histories().forget_all();
    }
}

impl Rooms {
    /// Takes what another node did to a room, as far as it was told.
    fn follow_room(&self, room: i64, moved: Option<&Moved>, last_pos: Pos) {
        match moved {
            Some(moved) if !moved.moves_state() => {
                let follow = |before| moved.apply(before);
                self.cache().follow(&room, last_pos, follow);
                self.earlier().grow(room, None, last_pos);
            }
            Some(_) => {
                let before = self.cache().get(&room);
                self.cache().forget(&room, last_pos);
                self.earlier().grow(room, before, last_pos);
            }
            None => {
                self.cache().forget(&room, last_pos);
                self.earlier().forget(room);
            }
        }
    }
}

/// Shows a room in the public directory, or no longer.
fn check_publish(
    work: &mut RoomsWork,
    room_id: &RoomId,
    published: bool,
    by: Option<&UserId>,
    context: &mut CheckContext<'_>,
) -> Result<Verdict<RoomsOutcome>, RoomsRefusal> {
    let mut room = work.room(room_id)?;
    if by.is_some_and(|user| !room.state.may_set_state(user, "m.room.canonical_alias")) {
        return Err(RoomsRefusal::Forbidden(
            "showing the room in the directory, or no longer, needs more power in it".to_owned(),
        ));
    }
    if room.published == published {
        return Ok(Verdict::Nothing(RoomsOutcome::Done));
    }
    Arc::make_mut(&mut room).published = published;
    context.touch_room(room.room);
    work.stage_room(room);
    Ok(Verdict::Apply(RoomsOutcome::Done))
}

impl RoomsWork {
    fn room(&self, room_id: &RoomId) -> Result<Arc<Room>, RoomsRefusal> {
        self.room_ids
            .get(room_id)
            .and_then(|room| self.rooms.get(room))
            .cloned()
            .ok_or_else(|| RoomsRefusal::NoSuchRoom(room_id.to_owned()))
    }

    /// The place of an event in the timeline of this room.
    fn place(&self, room: &Room, event_id: &OwnedEventId) -> Option<i64> {
        let here = self.known.get(event_id);
        let here = here.filter(|event| event.pdu.room_id() == room.room_id);
        let before = || self.places.get(&(room.room, event_id.clone())).copied();
        here.map(|event| event.ord).or_else(before)
    }

    fn stage_room(&mut self, room: Arc<Room>) {
        self.rows.touched_rooms.push(room.room);
        self.rooms.stage(room.room, room);
    }

    fn user(&self, user_id: &UserId) -> i64 {
        *self
            .user_ids
            .get(user_id)
            .expect("every user of a change is interned in prepare")
    }
}

use self::{
    moved::Moved,
    receipts::{check_forget, check_receipt},
};

//! From the log to letters: whom an event notifies.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use model::push_rules::{PushEvent, evaluate};
use outbox::Lane;
use pushers::PusherChanges;
use rooms::{Looking, Room, Rooms, StoredEvent};
use ruma::{UserId, events::room::member::MembershipState};
use store::{Applier, Batch, LeasedCursor, LocalWrite, Pos, Snapshot, StoreError};

use crate::{
    digest::ToReaders,
    gateway::ToGateways,
    members::{Member, Members},
    pace,
    push::Inner,
    watched::{Known, Watched},
};

/// How many batches are looked at together.
const BATCHES: usize = 64;

/// How many events of a room are opened at once.
const EVENTS: i64 = 128;

/// Follows the log and puts letters into the outbox.
pub(crate) struct FanOut<'a> {
    inner: &'a Inner,
    watched: Watched,
    members: Members,
}

/// For whom there is a letter, and about which change: each pusher is told of a change once.
#[derive(Default)]
struct Letters {
    to_gateways: BTreeSet<(i64, i64)>,
    to_readers: BTreeSet<(i64, i64)>,
    /// The pushers that sent mails and are gone.
    gone: BTreeSet<i64>,
}

impl Letters {
    /// Tells a pusher of an event, unless it was made after that.
    fn tell(&mut self, pusher: Known, pos: i64) {
        let lane = match pusher.by_mail {
            true => &mut self.to_readers,
            false => &mut self.to_gateways,
        };
        if pusher.id < pos {
            lane.insert((pusher.id, pos));
        }
    }

    fn is_empty(&self) -> bool {
        self.to_gateways.is_empty() && self.to_readers.is_empty() && self.gone.is_empty()
    }
}

impl<'a> FanOut<'a> {
    pub(crate) fn new(inner: &'a Inner) -> Self {
        Self {
            inner,
            watched: Watched::default(),
            members: Members::new(),
        }
    }

    /// Follows the log from the cursor, for as long as it is polled.
    pub(crate) async fn follow(&mut self, cursor: &LeasedCursor) -> Result<(), StoreError> {
        let database = self.inner.log.database();
        let snapshot = database.snapshot().await?;
        self.watched = Watched::load(self.inner, &snapshot).await?;
        drop(snapshot);
        let mut following = cursor.follow();
        loop {
            let batches = following.next(BATCHES).await?;
            let letters = if batches.iter().any(|batch| self.looks_at(batch)) {
                let snapshot = database.snapshot().await?;
                self.letters(&snapshot, &batches).await?
            } else {
                Letters::default()
            };
            self.put(cursor, letters, following.given()).await?;
        }
    }

    /// Whether somebody may have to be told something because of a batch.
    fn looks_at(&self, batch: &Batch) -> bool {
        let touched = &batch.touched;
        touched.has_kind(PusherChanges::KIND)
            || (touched.has_kind(Rooms::KIND) && !self.watched.is_empty())
    }

    async fn put(
        &self,
        cursor: &LeasedCursor,
        letters: Letters,
        pos: Pos,
    ) -> Result<(), StoreError> {
        if letters.is_empty() {
            cursor.pass(pos);
            return Ok(());
        }
        let outbox = &self.inner.outbox;
        let named = |(pusher, pos): (i64, i64)| (pusher.to_string(), Pos::new(pos));
        let write = letters
            .gone
            .into_iter()
            .fold(LocalWrite::new(), pace::forget);
        let to_gateways = letters.to_gateways.into_iter().map(named);
        let write = outbox.put(write, ToGateways::NAME, to_gateways);
        let to_readers = letters.to_readers.into_iter().map(named);
        let write = outbox.put(write, ToReaders::NAME, to_readers);
        cursor.write(write, pos).await?;
        outbox.wake(ToGateways::NAME);
        outbox.wake(ToReaders::NAME);
        Ok(())
    }

    async fn letters(
        &mut self,
        snapshot: &Snapshot,
        batches: &[Arc<Batch>],
    ) -> Result<Letters, StoreError> {
        let mut letters = Letters::default();
        // Together, so that a room that is spoken in by many is looked at once.
        let mut rooms: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
        for batch in batches {
            let (first, last) = (batch.first_pos.get(), batch.last_pos.get());
            if batch.touched.has_kind(PusherChanges::KIND) {
                for user in batch.touched.users() {
                    let gone = self.watched.reload(self.inner, snapshot, user).await?;
                    let gone = gone.into_iter().filter(|pusher| pusher.by_mail);
                    letters.gone.extend(gone.map(|pusher| pusher.id));
                }
            }
            if self.watched.is_empty() || !batch.touched.has_kind(Rooms::KIND) {
                continue;
            }
            for room in batch.touched.rooms() {
                rooms.entry(room).or_insert((first, last)).1 = last;
            }
            for user in batch.touched.users() {
                self.note_reading(snapshot, user, (first, last), &mut letters)
                    .await?;
            }
        }
        for (room, part) in rooms {
            if let Some(room) = self.inner.rooms.room_by_number(snapshot, room).await? {
                self.note_room(snapshot, &room, part, &mut letters).await?;
            }
        }
        Ok(letters)
    }

    /// Who reads on has less unread: their other devices are told so, and nobody is written to.
    async fn note_reading(
        &self,
        snapshot: &Snapshot,
        user: i64,
        (first, last): (i64, i64),
        letters: &mut Letters,
    ) -> Result<(), StoreError> {
        let Some(person) = self.watched.person(user) else {
            return Ok(());
        };
        let rooms = &self.inner.rooms;
        let near = rooms.receipts_near(snapshot, user, first - 1, last).await?;
        let mut receipts = near.values().flatten();
        if receipts.any(|receipt| receipt.user == user && receipt.kind != "m.fully_read") {
            let gateways = person.pushers.iter().filter(|pusher| !pusher.by_mail);
            gateways.for_each(|pusher| letters.tell(*pusher, last));
        }
        Ok(())
    }

    /// Whom the events of a room notify.
    async fn note_room(
        &self,
        snapshot: &Snapshot,
        room: &Room,
        (first, last): (i64, i64),
        letters: &mut Letters,
    ) -> Result<(), StoreError> {
        let Self { inner, watched, .. } = self;
        let members = self.members.of(inner, snapshot, room, watched).await?;
        let mut until = last;
        loop {
            let newest = inner.rooms.newest(snapshot, room, first - 1, until, EVENTS);
            let (events, more) = newest.await?;
            let prepared: Vec<_> = events
                .iter()
                .map(|event| (event, PushEvent::new(&event.pdu)))
                .collect();
            for member in members.iter() {
                let part = (&events[..], &prepared[..]);
                self.note_member(snapshot, room, member, part, letters)
                    .await?;
            }
            for (index, event) in events.iter().enumerate() {
                if let Some(member) = self.invited(event) {
                    let part = (std::slice::from_ref(event), &prepared[index..=index]);
                    self.note_member(snapshot, room, &member, part, letters)
                        .await?;
                }
            }
            match events.first() {
                Some(oldest) if more => until = oldest.ord - 1,
                _ => return Ok(()),
            }
        }
    }

    /// Who is asked into a room is not in it, and hears of that alone.
    fn invited(&self, event: &StoredEvent) -> Option<Member> {
        let name = event.pdu.state_key()?;
        if event.pdu.type_name() != "m.room.member"
            || *event.pdu.membership()? != MembershipState::Invite
        {
            return None;
        }
        let user = self.watched.by_name(<&UserId>::try_from(name).ok()?)?;
        // Of the room they may see nothing; this is for them.
        Some(Member { user, since: 0 })
    }

    /// Which of some events notify one person.
    async fn note_member(
        &self,
        snapshot: &Snapshot,
        room: &Room,
        member: &Member,
        (events, prepared): (&[StoredEvent], &[(&StoredEvent, PushEvent)]),
        letters: &mut Letters,
    ) -> Result<(), StoreError> {
        let Some(person) = self.watched.person(member.user) else {
            return Ok(());
        };
        let judge = self
            .inner
            .judge(snapshot, member.user, &person.user_id)
            .await?;
        let looking = Looking {
            rooms: &self.inner.rooms,
            snapshot,
            room,
            user: member.user,
            user_id: &person.user_id,
            ends_at: None,
        };
        let reader = looking.push_reader(&judge, events).await?;
        let mut history = None;
        for (event, prepared) in prepared {
            let sender = event.pdu.sender();
            if sender == person.user_id || judge.ignored.contains(sender) {
                continue;
            }
            if !evaluate(&judge.rules, prepared, &reader).notify {
                continue;
            }
            // Who has been in the room since before sees what is said there.
            if member.since >= event.pos.get() {
                let known = match history.take() {
                    Some(known) => known,
                    None => {
                        let rooms = &self.inner.rooms;
                        rooms.history(snapshot, room, &person.user_id).await?
                    }
                };
                let shows = known.shows(event);
                history = Some(known);
                if !shows {
                    continue;
                }
            }
            let pos = event.pos.get();
            let pushers = person.pushers.iter();
            pushers.for_each(|pusher| letters.tell(*pusher, pos));
        }
        Ok(())
    }
}

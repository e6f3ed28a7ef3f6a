//! From the log to letters: which services something concerns.

use std::{collections::BTreeSet, sync::Arc};

use appservices::Appservice;
use outbox::Lane;
use rooms::{EventOutline, Rooms};
use store::{Applier, Batch, LeasedCursor, Pos, Snapshot, StoreError};

use crate::{
    bridging::Inner,
    lane::ToAppservices,
    watching::{Services, Watching},
};

/// How many batches are looked at together.
const BATCHES: usize = 64;

/// Follows the log and puts letters into the outbox.
pub(crate) struct Follower<'a> {
    inner: &'a Inner,
    watching: Watching,
}

/// For whom there is a letter, and about which change.
type Letters = BTreeSet<(usize, Pos)>;

/// A part of the log: after a position, up to another.
#[derive(Clone, Copy)]
struct Window {
    after: Pos,
    upto: Pos,
}

impl<'a> Follower<'a> {
    pub(crate) fn new(inner: &'a Inner) -> Self {
        Self {
            inner,
            watching: Watching::of(inner.appservices().iter()),
        }
    }

    /// Follows the log from the cursor, for as long as it is polled.
    pub(crate) async fn follow(&mut self, cursor: &LeasedCursor) -> Result<(), StoreError> {
        let database = self.inner.log.database();
        let mut following = cursor.follow();
        loop {
            let batches = following.next(BATCHES).await?;
            let last = following.given();
            if self.watching.services.is_empty() {
                cursor.pass(last);
                continue;
            }
            self.watching.stay_bounded();
            let snapshot = database.snapshot().await?;
            let window = Window {
                after: cursor.pos(),
                upto: last,
            };
            let letters = self.letters(&snapshot, window, &batches).await?;
            drop(snapshot);
            self.put(cursor, letters, last).await?;
        }
    }

    async fn put(
        &self,
        cursor: &LeasedCursor,
        letters: Letters,
        pos: Pos,
    ) -> Result<(), StoreError> {
        let services = &self.watching.services;
        let letters = letters.into_iter();
        let letters = letters.map(|(service, pos)| (services[service].id().to_owned(), pos));
        let outbox = &self.inner.outbox;
        outbox
            .put_up_to(cursor, pos, ToAppservices::NAME, letters.collect())
            .await
    }

    async fn letters(
        &mut self,
        snapshot: &Snapshot,
        window: Window,
        batches: &[Arc<Batch>],
    ) -> Result<Letters, StoreError> {
        let mut letters = Letters::new();
        let rooms = &self.inner.rooms;
        for event in rooms.outlines(snapshot, window.after, window.upto).await? {
            let services = self.of_event(snapshot, &event).await?;
            letters.extend(services.into_iter().map(|service| (service, event.pos)));
        }
        self.note_receipts(snapshot, window, batches, &mut letters)
            .await?;
        self.note_messages(snapshot, window, batches, &mut letters)
            .await?;
        self.note_devices(snapshot, window, &mut letters).await?;
        Ok(letters)
    }

    /// The services that an event concerns: its sender's, those of whom it is about, and those of
    /// its room, as that was before the event or is after it.
    async fn of_event(
        &mut self,
        snapshot: &Snapshot,
        event: &EventOutline,
    ) -> Result<Services, StoreError> {
        let (inner, watching) = (self.inner, &mut self.watching);
        let before = Pos::new(event.pos.get() - 1);
        let mut services = watching
            .of_room(inner, snapshot, event.room, before)
            .await?;
        let sender = watching.of_user(inner, snapshot, event.sender).await?;
        services.extend(sender.iter());
        if let Some(state_key) = &event.state_key {
            services.extend(watching.of_target(state_key).iter());
            if let Some(membership) = &event.membership {
                watching.note_member(event.room, state_key, membership);
            }
        }
        Ok(services)
    }

    /// How far people have read, where somebody wants to know.
    async fn note_receipts(
        &mut self,
        snapshot: &Snapshot,
        window: Window,
        batches: &[Arc<Batch>],
        letters: &mut Letters,
    ) -> Result<(), StoreError> {
        let wanting = self.watching.those(Appservice::wants_ephemeral);
        if wanting.is_empty() {
            return Ok(());
        }
        let of_rooms = batches
            .iter()
            .filter(|batch| batch.touched.has_kind(Rooms::KIND));
        let touched: BTreeSet<i64> = of_rooms.flat_map(|batch| batch.touched.rooms()).collect();
        for room in touched {
            let (after, upto) = (window.after.get(), window.upto.get());
            let rooms = &self.inner.rooms;
            let mut given = rooms.receipts_between(snapshot, room, after, upto).await?;
            given.retain(|receipt| receipt.kind == "m.read");
            if given.is_empty() {
                continue;
            }
            let services = self
                .watching
                .of_room(self.inner, snapshot, room, window.upto)
                .await?;
            for service in services.into_iter().filter(|one| wanting.contains(one)) {
                letters.extend(given.iter().map(|given| (service, Pos::new(given.pos))));
            }
        }
        Ok(())
    }

    /// Messages to the devices of users whom a service has for itself.
    async fn note_messages(
        &mut self,
        snapshot: &Snapshot,
        window: Window,
        batches: &[Arc<Batch>],
        letters: &mut Letters,
    ) -> Result<(), StoreError> {
        if self.watching.those(speaks_for_devices).is_empty() {
            return Ok(());
        }
        let touched = batches.iter().flat_map(|batch| batch.touched.devices());
        let touched: BTreeSet<(i64, &str)> = touched.collect();
        for (user, device) in touched {
            let services = self.watching.of_user(self.inner, snapshot, user).await?;
            let user_id = self.inner.rooms.user_id(snapshot, user).await?;
            for service in services.iter().copied() {
                let appservice = &self.watching.services[service];
                if !speaks_for_devices(appservice) || !appservice.owns(&user_id) {
                    continue;
                }
                let keys = &self.inner.keys;
                let (after, upto) = (window.after, window.upto);
                let places = keys.to_device_places(snapshot, (user, device), after, upto);
                letters.extend(places.await?.into_iter().map(|pos| (service, pos)));
            }
        }
        Ok(())
    }

    /// Changed devices of users whom a service has, or who share a room with one of them.
    async fn note_devices(
        &mut self,
        snapshot: &Snapshot,
        window: Window,
        letters: &mut Letters,
    ) -> Result<(), StoreError> {
        let wanting = self.watching.those(Appservice::wants_device_data);
        if wanting.is_empty() {
            return Ok(());
        }
        let keys = &self.inner.keys;
        let changes = keys.device_changes(snapshot, window.after, window.upto);
        for (pos, user) in changes.await? {
            let own = self.watching.of_user(self.inner, snapshot, user).await?;
            let mut services: Services = own.iter().copied().collect();
            let rooms = &self.inner.rooms;
            for room in rooms.joined_room_numbers(snapshot, user).await? {
                let of_room = self
                    .watching
                    .of_room(self.inner, snapshot, room, window.upto);
                services.extend(of_room.await?);
            }
            services.retain(|service| wanting.contains(service));
            letters.extend(services.into_iter().map(|service| (service, pos)));
        }
        Ok(())
    }
}

/// Whether a service is told what is sent to the devices of its users.
pub(crate) fn speaks_for_devices(appservice: &Appservice) -> bool {
    appservice.wants_ephemeral() || appservice.wants_device_data()
}

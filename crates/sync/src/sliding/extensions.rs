//! What is told beside rooms: messages to the device, keys, the user's own data, receipts, typing.

use std::collections::{BTreeSet, HashMap};

use model::filter::SyncFilter;
use store::{Pos, StoreError};

use super::{
    answer::{Moment, ToldRoom},
    known::Known,
    request::{Selection, ToDevice as AskedToDevice, hash_of, write_to_device},
    response::{
        AccountData, E2ee, Followed, Left, OfRooms, SlidingResponse, ThreadSubscriptions, ToDevice,
    },
    view::{InView, View},
};
use crate::{Boundary, reading::account_data_event, response::SyncResponse};

/// The rooms of which an extension tells, each from where.
struct Selected<'a> {
    rooms: Vec<(i64, &'a ToldRoom)>,
    /// Whether nothing was asked of this kind before, or for other rooms.
    anew: bool,
}

impl Selected<'_> {
    /// After what one room is told.
    fn since(&self, room: &ToldRoom) -> Option<i64> {
        room.since.filter(|_| !self.anew)
    }
}

impl Moment<'_> {
    /// Tells what was asked for beside rooms, and notes that the client knows it then.
    pub(super) async fn extend(
        &self,
        view: &View,
        told: &HashMap<i64, ToldRoom>,
        known: &mut Known,
        response: &mut SlidingResponse,
    ) -> Result<(), StoreError> {
        let asked = &self.asked.request.extensions;
        let before = known.extensions;
        let extensions = &mut response.extensions;
        if let Some(asked) = &asked.to_device {
            extensions.to_device = Some(self.to_device(asked).await?);
        }
        known.extensions.e2ee = u64::from(asked.e2ee);
        if asked.e2ee {
            extensions.e2ee = Some(self.e2ee(before.e2ee != 0).await?);
        }
        let select = |asked: &Option<Selection>, before: u64| match asked {
            Some(asked) => {
                let hash = hash_of(asked);
                (hash, Some(self.select(view, told, asked, hash != before)))
            }
            None => (0, None),
        };
        let (hash, selected) = select(&asked.account_data, before.account_data);
        known.extensions.account_data = hash;
        if let Some(selected) = selected {
            extensions.account_data = self.account_data(&selected).await?;
        }
        let (hash, selected) = select(&asked.receipts, before.receipts);
        known.extensions.receipts = hash;
        if let Some(selected) = selected {
            extensions.receipts = self.receipts_of(&selected).await?;
        }
        let (hash, selected) = select(&asked.typing, before.typing);
        known.extensions.typing = hash;
        if let Some(selected) = selected {
            extensions.typing = self.typing_in(&selected).await?;
        }
        known.extensions.threads = u64::from(asked.threads.is_some());
        if let Some(limit) = asked.threads {
            let since = self.asked.since_pos().filter(|_| before.threads != 0);
            extensions.threads = self.threads(since, limit).await?;
        }
        Ok(())
    }

    /// Messages to the device, from where the client has none yet.
    async fn to_device(&self, asked: &AskedToDevice) -> Result<ToDevice, StoreError> {
        let (epoch, head) = (self.snapshot.epoch(), self.snapshot.head());
        let since = asked.since.filter(|since| since.epoch == epoch);
        let after = since.map_or(0, |since| since.to_device_pos.min(head.get()));
        let filter = SyncFilter::default();
        let reading = self.reading(&filter, None);
        let (events, upto) = reading
            .messages_to_device(Pos::new(after), asked.limit)
            .await?;
        Ok(ToDevice {
            next_batch: write_to_device(epoch, upto.get()),
            events,
        })
    }

    /// Whose devices changed, and which keys are left.
    async fn e2ee(&self, was_asked_for: bool) -> Result<E2ee, StoreError> {
        let filter = SyncFilter::default();
        let since = self.asked.since_pos().filter(|_| was_asked_for);
        let reading = self.reading(&filter, since);
        let mut read = SyncResponse::default();
        reading.device_lists(&self.memberships, &mut read).await?;
        reading.key_counts(&mut read).await?;
        Ok(E2ee {
            device_lists: read.device_lists,
            device_one_time_keys_count: read.device_one_time_keys_count,
            device_unused_fallback_key_types: read.device_unused_fallback_key_types,
        })
    }

    /// The user's own data: of the user, and of rooms in view.
    async fn account_data(&self, selected: &Selected<'_>) -> Result<AccountData, StoreError> {
        let filter = SyncFilter::default();
        let (user, head) = (self.asked.syncer.user, self.snapshot.head());
        let accounts = &self.inner().accounts;
        let since = self.asked.since_pos().filter(|_| !selected.anew);
        let of = async |room, since: Option<i64>| {
            let after = Pos::new(since.unwrap_or(0));
            accounts
                .account_data_of(&self.snapshot, user, room, after, head)
                .await
        };
        let reading = self.reading(&filter, since);
        let global = reading.global_account_data(&of(0, since).await?).await?;
        let mut told = AccountData {
            global: global.events,
            ..AccountData::default()
        };
        let lately = match since {
            Some(since) => {
                let since = Pos::new(since);
                accounts
                    .account_data_since(&self.snapshot, user, since, head)
                    .await?
            }
            None => Vec::new(),
        };
        let stirred: BTreeSet<i64> = lately.iter().map(|entry| entry.room).collect();
        for (room, how) in &selected.rooms {
            let room_since = selected.since(how);
            // What is as new as the position has just been read.
            if room_since.is_some() && room_since == since && !stirred.contains(room) {
                continue;
            }
            let entries = of(*room, room_since).await?;
            let events: Vec<_> = entries.iter().map(account_data_event).collect();
            if !events.is_empty() {
                told.rooms.insert(self.room_id(*room).await?, events);
            }
        }
        Ok(told)
    }

    /// What the user said of threads since the position, newest first.
    async fn threads(
        &self,
        since: Option<i64>,
        limit: usize,
    ) -> Result<ThreadSubscriptions, StoreError> {
        let (user, rooms) = (self.asked.syncer.user, &self.inner().rooms);
        let after = since.unwrap_or(0);
        // One more tells whether there are more.
        let changes = rooms
            .thread_subscriptions_between(&self.snapshot, user, after, self.head(), limit + 1)
            .await?;
        let mut told = ThreadSubscriptions::default();
        if changes.len() > limit {
            let last = changes.get(limit - 1).map(|last| last.pos);
            told.prev_batch = last.map(|pos| Boundary::new(&self.snapshot, pos).to_string());
        }
        for change in changes.into_iter().take(limit) {
            let bump_stamp = change.pos;
            if change.subscribed {
                let room = told.subscribed.entry(change.room_id).or_default();
                let automatic = change.automatic;
                room.insert(
                    change.thread,
                    Followed {
                        automatic,
                        bump_stamp,
                    },
                );
            } else {
                let room = told.unsubscribed.entry(change.room_id).or_default();
                room.insert(change.thread, Left { bump_stamp });
            }
        }
        Ok(told)
    }

    /// How far people have read in rooms in view. Where a room is told in full: those who have read
    /// up to an event that is shown, and the user.
    async fn receipts_of(&self, selected: &Selected<'_>) -> Result<OfRooms, StoreError> {
        let filter = SyncFilter::default();
        let reading = self.reading(&filter, None);
        let (own, rooms) = (self.asked.syncer.user, &self.inner().rooms);
        let mut told = OfRooms::default();
        for (room, how) in &selected.rooms {
            let since = selected.since(how);
            let mut given = match since {
                Some(since) if self.asked.since_pos() == Some(since) => {
                    self.receipts.get(room).cloned().unwrap_or_default()
                }
                since => {
                    let since = since.unwrap_or(0);
                    let given = rooms.receipts_between(&self.snapshot, *room, since, self.head());
                    given.await?
                }
            };
            if how.since.is_none() {
                given
                    .retain(|receipt| receipt.user == own || how.shown.contains(&receipt.event_id));
            }
            if let Some(event) = reading.receipts(&given).await? {
                told.rooms.insert(self.room_id(*room).await?, event);
            }
        }
        Ok(told)
    }

    /// Who types in rooms in view.
    async fn typing_in(&self, selected: &Selected<'_>) -> Result<OfRooms, StoreError> {
        let filter = SyncFilter::default();
        let reading = self.reading(&filter, None);
        let position = self.asked.since_pos();
        let now = self.inner().clock.now();
        let mut told = OfRooms::default();
        for (room, how) in &selected.rooms {
            let since = selected.since(how);
            // A room that comes (back) into view is told who types there now, if anybody does.
            let is_new = since.is_none() || since != position;
            let since = self
                .asked
                .since
                .map(|since| since.ephemeral)
                .filter(|_| !is_new);
            let Some(typists) = self.inner().ephemeral.typing(*room, since, now) else {
                continue;
            };
            if is_new && typists.is_empty() {
                continue;
            }
            let Some(room) = self.room(*room).await? else {
                continue;
            };
            let event = reading.typing(&room, typists).await?;
            told.rooms.insert(room.room_id.clone(), event);
        }
        Ok(told)
    }

    /// The rooms that an extension is asked for, of those that are told of.
    fn select<'t>(
        &self,
        view: &View,
        told: &'t HashMap<i64, ToldRoom>,
        asked: &Selection,
        anew: bool,
    ) -> Selected<'t> {
        let lists = &self.asked.request.lists;
        let is_asked = |in_view: &InView| {
            let mut in_lists = in_view.in_lists.iter().filter_map(|list| lists.get(*list));
            let subscribed = in_view.subscribed.as_ref();
            in_lists.any(|(name, _)| asked.has_list(name))
                || subscribed.is_some_and(|room| asked.has_room(room))
        };
        let rooms = view.order.iter().filter_map(|room| {
            let how = told.get(room)?;
            is_asked(view.rooms.get(room)?).then_some((*room, how))
        });
        Selected {
            rooms: rooms.collect(),
            anew,
        }
    }
}

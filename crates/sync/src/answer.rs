//! One answer: everything that changed since a token, read at one moment.

use std::{collections::BTreeSet, sync::Arc};

use rooms::Membership;
use ruma::events::room::member::MembershipState;
use store::{Pos, StoreError};

use crate::{
    device_lists::Window,
    memory::Remembered,
    reading::Reading,
    response::{ClientEvent, SyncResponse},
    sync::{Inner, SyncRequest, Syncer},
    token::SyncToken,
};

/// The most messages to a device in one answer.
const TO_DEVICE_LIMIT: usize = 100;

/// What one look at the log gives.
pub(crate) struct Turn {
    pub(crate) response: SyncResponse,
    /// The moment of the look.
    pub(crate) head: Pos,
    /// The rooms that the user is in.
    pub(crate) joined: Arc<BTreeSet<i64>>,
}

impl Inner {
    pub(crate) async fn answer(
        &self,
        syncer: Syncer<'_>,
        request: &SyncRequest,
        since: Option<SyncToken>,
    ) -> Result<Turn, StoreError> {
        // Counted before anything is read: what changes meanwhile is told again, not lost.
        let ephemeral = self.ephemeral.now();
        let snapshot = self.log.database().snapshot().await?;
        let (head, epoch) = (snapshot.head(), snapshot.epoch());
        let lost_track = since.is_some_and(|since| since.epoch != epoch);
        let since = since.filter(|since| since.epoch == epoch);
        // A token from the future (a restored copy) is as good as one of now.
        let since_pos = since.map(|since| since.pos.min(head.get()));
        let reading = Reading {
            inner: self,
            snapshot: &snapshot,
            syncer,
            filter: &request.filter,
            full_state: request.full_state,
            state_at: request.state_at,
            since_pos,
            ephemeral_since: since.map(|since| since.ephemeral),
        };
        let memberships = self.rooms.memberships(&snapshot, syncer.user).await?;
        let entries = reading.account_data().await?;
        let mut response = SyncResponse::default();
        reading.rooms(&memberships, &entries, &mut response).await?;
        response.account_data = reading.global_account_data(&entries).await?;
        let met = match lost_track {
            false => reading.device_lists(&memberships, &mut response).await?,
            true => reading.all_device_lists(&mut response).await?,
        };
        response.presence = reading.presence(&met).await?;
        let after = Pos::new(since.map_or(0, |since| since.to_device_pos.min(head.get())));
        let to_device_pos = reading.to_device(after, &mut response).await?.get();
        reading.key_counts(&mut response).await?;
        let token = SyncToken {
            epoch,
            pos: head.get(),
            to_device_pos,
            ephemeral,
        };
        response.next_batch = token.to_string();
        let joined = joined_rooms(&memberships);
        let remembered = Remembered {
            epoch,
            at: head,
            // The token proves it, and what it proves was deleted before this.
            has_messages: after,
            joined: Arc::clone(&joined),
            one_time_keys: response.device_one_time_keys_count.clone(),
            fallback_keys: response.device_unused_fallback_key_types.clone(),
        };
        self.memory.remember(syncer, remembered);
        Ok(Turn {
            response,
            head,
            joined,
        })
    }
}

/// The rooms that somebody is in.
pub(crate) fn joined_rooms(memberships: &[Membership]) -> Arc<BTreeSet<i64>> {
    let joined = |membership: &&Membership| membership.membership == MembershipState::Join;
    let joined = memberships.iter().filter(joined);
    Arc::new(joined.map(|membership| membership.room).collect())
}

impl Reading<'_> {
    /// Whose devices changed; gives those whom the user has just met.
    pub(crate) async fn device_lists(
        &self,
        memberships: &[Membership],
        response: &mut SyncResponse,
    ) -> Result<BTreeSet<i64>, StoreError> {
        let Some(after) = self.since_pos else {
            return Ok(BTreeSet::new());
        };
        let window = Window {
            inner: self.inner,
            snapshot: self.snapshot,
            user: self.syncer.user,
            user_id: self.syncer.user_id,
            after,
            until: self.snapshot.head().get(),
        };
        let changes = window.changes(memberships).await?;
        response.device_lists = changes.lists;
        Ok(changes.met)
    }

    /// Everybody whom the user shares a room with, for a client that comes from before a restore:
    /// what it learned of their devices may be of a history that is gone.
    async fn all_device_lists(
        &self,
        response: &mut SyncResponse,
    ) -> Result<BTreeSet<i64>, StoreError> {
        let Syncer { user, .. } = self.syncer;
        let rooms = &self.inner.rooms;
        let mut everybody = rooms.sharing_users(self.snapshot, user).await?;
        everybody.push(user);
        let everybody: BTreeSet<i64> = everybody.into_iter().collect();
        for user in everybody {
            let user = self.user_id(user).await?;
            response.device_lists.changed.push(user);
        }
        // Presence is told in full, as to whoever syncs first.
        Ok(BTreeSet::new())
    }

    /// Messages to the device; gives the place of the last one.
    async fn to_device(&self, after: Pos, response: &mut SyncResponse) -> Result<Pos, StoreError> {
        let (events, upto) = self.messages_to_device(after, TO_DEVICE_LIMIT).await?;
        response.to_device.events = events;
        Ok(upto)
    }

    /// Some messages to the device, and the place of the last one.
    pub(crate) async fn messages_to_device(
        &self,
        after: Pos,
        limit: usize,
    ) -> Result<(Vec<ClientEvent>, Pos), StoreError> {
        let (user, device) = (self.syncer.user, self.syncer.device_id.as_str());
        let (keys, snapshot) = (&self.inner.keys, self.snapshot);
        let waiting = keys
            .to_device_since(
                snapshot,
                user,
                device,
                after,
                snapshot.head(),
                limit.clamp(1, TO_DEVICE_LIMIT),
            )
            .await?;
        let events = waiting.events.into_iter();
        Ok((
            events.map(|event| event.into_json()).collect(),
            waiting.upto,
        ))
    }

    /// Which keys of the device are left for others to begin sessions with.
    pub(crate) async fn key_counts(&self, response: &mut SyncResponse) -> Result<(), StoreError> {
        let (user, device) = (self.syncer.user, self.syncer.device_id.as_str());
        let (keys, snapshot) = (&self.inner.keys, self.snapshot);
        let counts = keys.one_time_key_counts(snapshot, user, device).await?;
        let counts = counts.into_iter();
        let by_name = counts.map(|(algorithm, count)| (algorithm.to_string(), count));
        response.device_one_time_keys_count = by_name.collect();
        // Clients upload when they see that none are left, so this one is always told.
        let told = &mut response.device_one_time_keys_count;
        told.entry("signed_curve25519".to_owned()).or_insert(0);
        let unused = keys
            .unused_fallback_key_types(snapshot, user, device)
            .await?;
        let unused = unused.into_iter().map(|algorithm| algorithm.to_string());
        response.device_unused_fallback_key_types = unused.collect();
        Ok(())
    }
}

//! `/v3/sync`: everything that changed for one device, from one moment.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use accounts::Accounts;
use bus::{Bus, Signal};
use keys::Keys;
use model::{filter::SyncFilter, time::Clock};
use rooms::{Membership, Rooms};
use ruma::{DeviceId, UserId, events::room::member::MembershipState};
use store::{Batch, Log, Pos, StoreError};
use tokio::sync::broadcast::error::RecvError;

use crate::{
    device_lists,
    ephemeral::EphemeralState,
    people,
    reading::Reading,
    response::{DeviceLists, SyncResponse},
    token::SyncToken,
    unread::Unread,
    wakers::Wakers,
};

/// The most messages to a device in one answer.
const TO_DEVICE_LIMIT: usize = 100;

/// The longest that a client may wait.
const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// Answers syncs. Cheap to clone.
#[derive(Clone)]
pub struct Sync {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) log: Log,
    pub(crate) accounts: Accounts,
    pub(crate) rooms: Rooms,
    pub(crate) keys: Keys,
    pub(crate) clock: Arc<dyn Clock>,
    epoch: i64,
    pub(crate) ephemeral: EphemeralState,
    pub(crate) bus: Bus,
    pub(crate) wakers: Arc<Wakers>,
    pub(crate) unread: Unread,
    pub(crate) presence_enabled: bool,
}

/// Who syncs.
#[derive(Clone, Copy)]
pub struct Syncer<'a> {
    /// The user's integer.
    pub user: i64,
    /// The user.
    pub user_id: &'a UserId,
    /// The device.
    pub device_id: &'a DeviceId,
    /// The device's session, which may end while it waits.
    pub session: i64,
}

/// Why a sync is not answered.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The session ended while it waited.
    #[error("the session has ended")]
    SessionEnded,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a client asks.
pub struct SyncRequest {
    /// What it has seen.
    pub since: Option<SyncToken>,
    /// What it wants.
    pub filter: Arc<SyncFilter>,
    /// Whether it wants all state, whatever it has seen.
    pub full_state: bool,
    /// How long it waits for news.
    pub timeout: Duration,
}

/// What one look at the log gives.
struct Turn {
    response: SyncResponse,
    /// The moment of the look.
    head: Pos,
    /// The rooms that the user is in.
    joined: BTreeSet<i64>,
}

impl Sync {
    /// Puts the reader together, on this node's end of the bus.
    ///
    /// Follows the log and the bus from now on, as long as somebody holds it.
    pub async fn start(
        log: Log,
        accounts: Accounts,
        rooms: Rooms,
        keys: Keys,
        bus: Bus,
        presence_enabled: bool,
    ) -> Result<Self, StoreError> {
        let epoch = log.database().fact("epoch").await?;
        let epoch = epoch.and_then(|epoch| epoch.parse().ok());
        let epoch =
            epoch.ok_or_else(|| StoreError::Damaged("the fact epoch is missing".to_owned()))?;
        let clock = Arc::clone(log.clock());
        let wakers = Arc::new(Wakers::default());
        follow(&log, &wakers, &rooms, &bus);
        let inner = Inner {
            log,
            accounts,
            rooms,
            keys,
            clock,
            epoch,
            wakers,
            ephemeral: EphemeralState::new(bus.node_id().into()),
            bus,
            unread: Unread::new(),
            presence_enabled,
        };
        let inner = Arc::new(inner);
        people::follow(&inner);
        Ok(Self { inner })
    }

    /// Answers a sync: at once when there is news, else when there is some, or time is up.
    ///
    /// A client that goes away drops the future, and with it everything that waited.
    pub async fn sync(
        &self,
        syncer: Syncer<'_>,
        request: &SyncRequest,
    ) -> Result<SyncResponse, SyncError> {
        let inner = &self.inner;
        let since = request.since.filter(|since| since.epoch == inner.epoch);
        if let Some(since) = since {
            inner.acknowledge(syncer, since).await?;
        }
        let deadline = inner.clock.sleep(request.timeout.min(LONGEST_WAIT));
        tokio::pin!(deadline);
        let mut time_is_up = since.is_none() || request.full_state || request.timeout.is_zero();
        let mut waiter = inner.wakers.register(syncer.user);
        // Who comes from another node is told all typing and presence: that alone is no news, or
        // a client between two nodes would never wait.
        let began = inner.ephemeral.now();
        let is_foreign = since.is_some_and(|since| !inner.ephemeral.has_counted(since.ephemeral));
        loop {
            inner.log.barrier().await?;
            if !inner.stands(syncer).await? {
                return Err(SyncError::SessionEnded);
            }
            let known = match since {
                Some(since) if is_foreign && !time_is_up => Some(SyncToken {
                    ephemeral: began,
                    ..since
                }),
                since => since,
            };
            let Turn {
                response,
                head,
                joined,
            } = inner.answer(syncer, request, known).await?;
            match (time_is_up, response.is_empty()) {
                (false, true) => {}
                (false, false) if is_foreign => {
                    time_is_up = true;
                    continue;
                }
                _ => return Ok(response),
            }
            waiter.follow(joined, head);
            tokio::select! {
                () = waiter.woken() => {}
                () = &mut deadline => time_is_up = true,
            }
        }
    }

    /// Whose devices changed between two tokens, as far as the user is concerned.
    pub async fn device_list_changes(
        &self,
        (user, user_id): (i64, &UserId),
        from: SyncToken,
        to: SyncToken,
    ) -> Result<DeviceLists, StoreError> {
        let inner = &self.inner;
        let snapshot = inner.log.database().snapshot().await?;
        // Who comes from before a restore asks for everybody's keys again.
        let from = if from.epoch == inner.epoch {
            from.pos
        } else {
            0
        };
        let until = if to.epoch == inner.epoch {
            to.pos
        } else {
            i64::MAX
        };
        let memberships = inner.rooms.memberships(&snapshot, user).await?;
        let window = device_lists::Window {
            inner,
            snapshot: &snapshot,
            user,
            user_id,
            after: from,
            until: until.min(snapshot.head().get()),
        };
        Ok(window.changes(&memberships).await?.lists)
    }
}

/// Rings for every batch; whoever falls behind rings for everybody.
fn follow(log: &Log, wakers: &Arc<Wakers>, rooms: &Rooms, bus: &Bus) {
    let mut batches = log.subscribe();
    let (wakers, rooms, bus) = (Arc::clone(wakers), rooms.clone(), bus.clone());
    tokio::spawn(async move {
        loop {
            match batches.recv().await {
                Ok(batch) => {
                    let touched = &batch.touched;
                    let devices = touched.devices().map(|(user, _)| user);
                    let users = touched.users().chain(devices);
                    wakers.wake(batch.last_pos, users, touched.rooms());
                    // Other nodes look now instead of within half a second.
                    bus.publish(Signal::Poke);
                    if batch.touched.has_kind(Keys::IDENTITY_KIND) {
                        wake_acquaintances(&wakers, &rooms, &batch).await;
                    }
                }
                Err(RecvError::Lagged(_)) => wakers.wake_all(),
                Err(RecvError::Closed) => return,
            }
        }
    });
}

/// Whose keys changed is news to everybody who shares a room with them.
async fn wake_acquaintances(wakers: &Wakers, rooms: &Rooms, batch: &Batch) {
    let acquaintances = async {
        let snapshot = rooms.snapshot().await?;
        let mut all = BTreeSet::new();
        for user in batch.touched.users() {
            all.extend(rooms.sharing_users(&snapshot, user).await?);
        }
        Ok::<_, StoreError>(all)
    };
    match acquaintances.await {
        Ok(users) => wakers.wake_users(users),
        Err(error) => {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(
                error,
                "who shares rooms could not be read; everybody looks again"
            );
            wakers.wake_all();
        }
    }
}

impl Inner {
    pub(crate) fn names(&self) -> &store::Names {
        self.log.database().names()
    }

    /// A token proves that its device has what came before it.
    async fn acknowledge(&self, syncer: Syncer<'_>, since: SyncToken) -> Result<(), StoreError> {
        if since.to_device_pos == 0 {
            return Ok(());
        }
        let snapshot = self.log.database().snapshot().await?;
        // A token from nowhere proves nothing beyond what exists.
        let upto = Pos::new(since.to_device_pos.min(snapshot.head().get()));
        let device = syncer.device_id.as_str();
        self.keys
            .acknowledge_to_device(&snapshot, syncer.user, device, upto)
            .await
    }

    async fn stands(&self, syncer: Syncer<'_>) -> Result<bool, StoreError> {
        self.accounts
            .session_stands(syncer.user, syncer.device_id, syncer.session)
            .await
    }

    async fn answer(
        &self,
        syncer: Syncer<'_>,
        request: &SyncRequest,
        since: Option<SyncToken>,
    ) -> Result<Turn, StoreError> {
        // Counted before anything is read: what changes meanwhile is told again, not lost.
        let ephemeral_now = self.ephemeral.now();
        let snapshot = self.log.database().snapshot().await?;
        let head = snapshot.head();
        // A token from the future (a restored copy) is as good as one of now.
        let since_pos = since.map(|since| since.pos.min(head.get()));
        let reading = Reading {
            inner: self,
            snapshot: &snapshot,
            syncer,
            filter: &request.filter,
            full_state: request.full_state,
            since_pos,
            ephemeral_since: since.map(|since| since.ephemeral),
        };
        let memberships = self.rooms.memberships(&snapshot, syncer.user).await?;
        let entries = reading.account_data().await?;
        let mut response = SyncResponse::default();
        reading.rooms(&memberships, &entries, &mut response).await?;
        response.account_data = reading.global_account_data(&entries).await?;
        let device = syncer.device_id.as_str();
        let after = Pos::new(since.map_or(0, |since| since.to_device_pos.min(head.get())));
        let waiting = self
            .keys
            .to_device_since(&snapshot, syncer.user, device, after, head, TO_DEVICE_LIMIT)
            .await?;
        response.to_device.events = waiting
            .events
            .into_iter()
            .map(|event| event.into_json())
            .collect();
        let mut met = BTreeSet::new();
        if let Some(after) = since_pos {
            let window = device_lists::Window {
                inner: self,
                snapshot: &snapshot,
                user: syncer.user,
                user_id: syncer.user_id,
                after,
                until: head.get(),
            };
            let changes = window.changes(&memberships).await?;
            (response.device_lists, met) = (changes.lists, changes.met);
        }
        let counts = self
            .keys
            .one_time_key_counts(&snapshot, syncer.user, device)
            .await?;
        response.device_one_time_keys_count = counts
            .into_iter()
            .map(|(algorithm, count)| (algorithm.to_string(), count))
            .collect();
        // Clients upload when they see that none are left, so this one is always told.
        response
            .device_one_time_keys_count
            .entry("signed_curve25519".to_owned())
            .or_insert(0);
        let unused = self
            .keys
            .unused_fallback_key_types(&snapshot, syncer.user, device)
            .await?;
        response.device_unused_fallback_key_types = unused
            .into_iter()
            .map(|algorithm| algorithm.to_string())
            .collect();
        response.presence = reading.presence(&met).await?;
        let token = SyncToken {
            epoch: self.epoch,
            pos: head.get(),
            to_device_pos: waiting.upto.get(),
            ephemeral: ephemeral_now,
        };
        response.next_batch = token.to_string();
        let joined = |membership: &&Membership| membership.membership == MembershipState::Join;
        Ok(Turn {
            response,
            head,
            joined: memberships
                .iter()
                .filter(joined)
                .map(|membership| membership.room)
                .collect(),
        })
    }
}

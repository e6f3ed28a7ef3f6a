//! `/v3/sync`: everything that changed for one device, from one moment.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use accounts::{Accounts, Standing};
use bus::Bus;
use keys::Keys;
use model::{filter::SyncFilter, time::Clock};
use rooms::Rooms;
use ruma::{DeviceId, UserId};
use store::{Log, Pos, StoreError};

use crate::{
    answer::Turn,
    device_lists,
    ephemeral::EphemeralState,
    memory::Memory,
    people,
    response::{DeviceLists, StateAt, SyncResponse},
    sliding::Connections,
    token::SyncToken,
    wakers::Wakers,
    waking,
};

/// The longest that a client may wait.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(120);

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
    pub(crate) ephemeral: EphemeralState,
    pub(crate) bus: Bus,
    pub(crate) wakers: Arc<Wakers>,
    pub(crate) connections: Connections,
    pub(crate) memory: Memory,
    pub(crate) presence_enabled: bool,
    /// Whether other nodes have to be told what this node's users do.
    pub(crate) asked: AtomicBool,
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
    /// The user was locked while it waited; the session lives on.
    #[error("the account is locked")]
    Locked,
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
    /// Whether the state beside a timeline is that of its beginning or of its end.
    pub state_at: StateAt,
    /// How long it waits for news.
    pub timeout: Duration,
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
        let clock = Arc::clone(log.clock());
        let wakers = Arc::new(Wakers::default());
        waking::follow(&log, &wakers, &rooms);
        waking::announce(&log, &bus);
        let inner = Inner {
            log,
            accounts,
            rooms,
            keys,
            clock,
            wakers,
            ephemeral: EphemeralState::new(bus.node_id().into()),
            bus,
            connections: Connections::new(),
            memory: Memory::new(),
            presence_enabled,
            asked: AtomicBool::new(true),
        };
        let inner = Arc::new(inner);
        people::follow(&inner);
        Ok(Self { inner })
    }

    /// Answers a sync: at once when there is news, else when there is some, or time is up.
    ///
    /// A client that goes away drops the future, and with it everything that waited. What is
    /// done before and after the waiting is boxed: a hundred thousand syncs wait, few work.
    pub async fn sync(
        &self,
        syncer: Syncer<'_>,
        request: &SyncRequest,
    ) -> Result<SyncResponse, SyncError> {
        let inner = &self.inner;
        let since = request.since;
        let is_of_now = match since {
            Some(since) if inner.knows(syncer, since) => true,
            Some(since) => Box::pin(inner.acknowledge(syncer, since)).await?,
            None => false,
        };
        let deadline = inner.clock.sleep(request.timeout.min(LONGEST_WAIT));
        tokio::pin!(deadline);
        let mut time_is_up = !is_of_now || request.full_state || request.timeout.is_zero();
        let mut waiter = inner.wakers.register(syncer.user);
        // Who comes from another node is told all typing and presence: that alone is no news, or
        // a client between two nodes would never wait.
        let began = inner.ephemeral.now();
        let is_foreign = since.is_some_and(|since| !inner.ephemeral.has_counted(since.ephemeral));
        loop {
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
            } = Box::pin(inner.turn(syncer, request, known)).await?;
            match (time_is_up, response.is_empty()) {
                (false, true) => drop(response),
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
        let pos = |token: SyncToken| (token.epoch == snapshot.epoch()).then_some(token.pos);
        // Who comes from before a restore asks for everybody's keys again.
        let (from, until) = (pos(from).unwrap_or(0), pos(to).unwrap_or(i64::MAX));
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

impl Inner {
    pub(crate) fn names(&self) -> &store::Names {
        self.log.database().names()
    }

    /// Looks once for news.
    async fn turn(
        &self,
        syncer: Syncer<'_>,
        request: &SyncRequest,
        since: Option<SyncToken>,
    ) -> Result<Turn, SyncError> {
        self.admit(syncer).await?;
        match self.remembered_turn(syncer, request, since) {
            Some(turn) => Ok(turn),
            None => Ok(self.answer(syncer, request, since).await?),
        }
    }

    /// Lets a syncer look at what this node has, as of now, if their session lives on.
    pub(crate) async fn admit(&self, syncer: Syncer<'_>) -> Result<(), SyncError> {
        self.log.barrier().await?;
        match self.standing(syncer).await? {
            Standing::Good => Ok(()),
            Standing::Locked => Err(SyncError::Locked),
            Standing::Ended => Err(SyncError::SessionEnded),
        }
    }

    /// A token proves that its device has what came before it, if it is of this epoch: tells
    /// whether it is. What an older one proves is void.
    pub(crate) async fn acknowledge(
        &self,
        syncer: Syncer<'_>,
        since: SyncToken,
    ) -> Result<bool, StoreError> {
        let snapshot = self.log.database().snapshot().await?;
        if since.epoch != snapshot.epoch() {
            return Ok(false);
        }
        if since.to_device_pos == 0 {
            return Ok(true);
        }
        // A token from nowhere proves nothing beyond what exists.
        let upto = Pos::new(since.to_device_pos.min(snapshot.head().get()));
        let device = syncer.device_id.as_str();
        self.keys
            .acknowledge_to_device(&snapshot, syncer.user, device, upto)
            .await?;
        Ok(true)
    }

    pub(crate) async fn standing(&self, syncer: Syncer<'_>) -> Result<Standing, StoreError> {
        self.accounts
            .standing(syncer.user, syncer.device_id, syncer.session)
            .await
    }
}

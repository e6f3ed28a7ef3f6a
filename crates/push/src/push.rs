//! [`Push`]: the worker, wired.

use std::{collections::HashMap, sync::Arc};

use accounts::{Accounts, Standing};
use futures_util::future::try_join3;
use outbox::{Lane, Outbox};
use parking_lot::Mutex;
use pushers::{Pushers, StoredPusher};
use rooms::{Judge, Rooms};
use ruma::UserId;
use store::{Begin, LeasedCursor, Log, Snapshot, StoreError};

use crate::{Gateways, Mailing, digest::ToReaders, fan_out::FanOut, gateway::ToGateways};

/// Tells push gateways what notifies people, and people by mail what they have not read. Cheap to
/// clone.
#[derive(Clone)]
pub struct Push {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) log: Log,
    pub(crate) accounts: Accounts,
    pub(crate) rooms: Rooms,
    pub(crate) pushers: Pushers,
    pub(crate) outbox: Outbox,
    pub(crate) gateways: Gateways,
    /// How people are written to, where there is a mail server.
    pub(crate) mailing: Option<Mailing>,
    /// Held while what is told is read.
    pub(crate) reading: tokio::sync::Mutex<()>,
    /// By pusher: how many unread events its gateway was told of last, by this node.
    pub(crate) badges: Mutex<HashMap<i64, u64>>,
}

impl Push {
    /// Puts the worker together.
    pub fn new(
        log: Log,
        accounts: Accounts,
        rooms: Rooms,
        pushers: Pushers,
        outbox: Outbox,
        (gateways, mailing): (Gateways, Option<Mailing>),
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                log,
                accounts,
                rooms,
                pushers,
                outbox,
                gateways,
                mailing,
                reading: tokio::sync::Mutex::default(),
                badges: Mutex::default(),
            }),
        }
    }

    /// Works for as long as it is polled, whenever the work is this node's.
    ///
    /// Dropping it loses nothing: it goes on where it stood, here or at another node.
    pub async fn run(&self) {
        let inner = &self.inner;
        let work = |cursor: LeasedCursor| {
            let inner = Arc::clone(inner);
            async move {
                let to_gateways = ToGateways(Arc::clone(&inner));
                let to_readers = ToReaders {
                    inner: Arc::clone(&inner),
                    cursor: cursor.clone(),
                };
                let telling = inner.outbox.carry(&to_gateways, &cursor);
                let writing = inner.outbox.carry(&to_readers, &cursor);
                let mut fan_out = FanOut::new(&inner);
                let all = try_join3(fan_out.follow(&cursor), telling, writing);
                Box::pin(all).await.map(drop)
            }
        };
        let run = LeasedCursor::run(&inner.log, ToGateways::NAME, Begin::AtTheHead, work);
        Box::pin(run).await;
    }
}

impl Inner {
    /// The pusher that a target of a lane names, if it stands; one whose session has ended goes.
    pub(crate) async fn standing_pusher(
        &self,
        snapshot: &Snapshot,
        target: &str,
    ) -> Result<Option<StoredPusher>, StoreError> {
        let id = target.parse();
        let id = id.map_err(|_| StoreError::Damaged("outbox.target".to_owned()))?;
        let Some(pusher) = self.pushers.one(snapshot, id).await? else {
            return Ok(None);
        };
        let (user, session) = (pusher.user, pusher.session);
        let standing = self.accounts.standing(user, &pusher.device_id, session);
        if standing.await? == Standing::Ended {
            self.pushers.reject(id).await?;
            return Ok(None);
        }
        Ok(Some(pusher))
    }

    /// By what it is judged whether something notifies a user.
    pub(crate) async fn judge(
        &self,
        snapshot: &Snapshot,
        user: i64,
        user_id: &UserId,
    ) -> Result<Judge, StoreError> {
        let said = self.rooms.thread_subscriptions_moved(snapshot, user, None);
        Ok(Judge {
            rules: self.accounts.push_rules(user, user_id).await?,
            ignored: self.accounts.ignored_users(user).await?,
            threads_said: said.await?,
        })
    }
}

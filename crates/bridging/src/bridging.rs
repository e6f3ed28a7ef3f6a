//! [`Bridging`]: the worker and the asker, wired.

use std::{collections::HashSet, sync::Arc};

use accounts::Accounts;
use appservices::Appservices;
use bus::Bus;
use futures_util::future::try_join3;
use keys::Keys;
use outbound::Outbound;
use outbox::{Lane, Outbox};
use parking_lot::Mutex;
use rooms::Rooms;
use store::{Begin, LeasedCursor, Log};
use tokio::sync::Semaphore;

use crate::{ephemera, following::Follower, lane::ToAppservices};

/// How this server calls itself to application services.
pub const USER_AGENT: &str = "Conclave";

/// How many questions may be on their way to services at once: strangers cause them too.
const QUESTIONS_AT_ONCE: usize = 64;

/// Tells application services what concerns them, and asks them. Cheap to clone.
#[derive(Clone)]
pub struct Bridging {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) log: Log,
    pub(crate) accounts: Accounts,
    pub(crate) rooms: Rooms,
    pub(crate) keys: Keys,
    pub(crate) outbox: Outbox,
    pub(crate) outbound: Outbound,
    /// Held while what is told is read.
    pub(crate) reading: tokio::sync::Mutex<()>,
    /// The services that did not take what they were sent last, by this node.
    pub(crate) failing: Mutex<HashSet<String>>,
    /// Who asks a service something holds a permit.
    pub(crate) questions: Semaphore,
}

impl Bridging {
    /// Puts it together. The services are those that the accounts know.
    pub fn new(
        log: Log,
        accounts: Accounts,
        rooms: Rooms,
        keys: Keys,
        outbox: Outbox,
        outbound: Outbound,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                log,
                accounts,
                rooms,
                keys,
                outbox,
                outbound,
                reading: tokio::sync::Mutex::default(),
                failing: Mutex::default(),
                questions: Semaphore::new(QUESTIONS_AT_ONCE),
            }),
        }
    }

    /// Whether a service wants to know of typing and presence, which no log has.
    pub fn needs_bus(&self) -> bool {
        let mut services = self.inner.appservices().iter();
        services.any(|service| service.wants_ephemeral() && service.url().is_some())
    }

    /// Tells services what concerns them, for as long as it is polled, whenever that is this
    /// node's work. Typing and presence are heard on an end of the bus that no other part of the
    /// node uses, if there is one.
    ///
    /// Dropping it loses nothing that the log has: it goes on where it stood, here or at another
    /// node.
    pub async fn run(&self, bus: Option<Bus>) {
        let inner = &self.inner;
        let work = |cursor: LeasedCursor| {
            let (inner, bus) = (Arc::clone(inner), bus.clone());
            async move {
                let lane = ToAppservices {
                    inner: Arc::clone(&inner),
                    cursor: cursor.clone(),
                };
                let carrying = inner.outbox.carry(&lane, &cursor);
                let mut follower = Follower::new(&inner);
                let passing_on = ephemera::pass_on(&inner, bus.as_ref());
                try_join3(follower.follow(&cursor), carrying, passing_on)
                    .await
                    .map(drop)
            }
        };
        let run = LeasedCursor::run(&inner.log, ToAppservices::NAME, Begin::AtTheHead, work);
        Box::pin(run).await;
    }
}

impl Inner {
    pub(crate) fn appservices(&self) -> &Appservices {
        self.accounts.appservices()
    }
}

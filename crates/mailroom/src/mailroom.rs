//! [`Mailroom`]: the worker, wired.

use std::sync::Arc;

use accounts::{Accounts, emails::EmailChanges};
use futures_util::future::try_join;
use mail::Mailer;
use model::{language::Language, time::Clock};
use outbox::{Lane, Outbox};
use rooms::Rooms;
use ruma::OwnedServerName;
use store::{Applier, Begin, LeasedCursor, Log, Pos, StoreError};

use crate::lane::ToMailServer;

/// How many batches of the log are looked at together.
const BATCHES: usize = 256;

/// In whose name mails are written.
#[derive(Clone)]
pub struct Name {
    /// The server's name.
    pub server_name: OwnedServerName,
    /// Where people reach the server with a browser, without a slash at its end.
    pub(crate) public_url: Arc<str>,
    /// The language of mails that nobody asked for.
    pub language: Language,
}

impl Name {
    /// Puts it together.
    pub fn new(server_name: OwnedServerName, public_url: &str, language: Language) -> Self {
        Self {
            server_name,
            public_url: public_url.into(),
            language,
        }
    }

    /// The link that carries a secret. Secrets are of letters that need no escape.
    pub(crate) fn link(&self, token: &str) -> String {
        format!("{}/_conclave/mail?token={token}", self.public_url)
    }
}

/// Hands on the mails that wait. Cheap to clone.
#[derive(Clone)]
pub struct Mailroom(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) log: Log,
    pub(crate) accounts: Accounts,
    pub(crate) rooms: Rooms,
    pub(crate) outbox: Outbox,
    pub(crate) mailer: Mailer,
    pub(crate) name: Name,
}

impl Mailroom {
    /// Puts the worker together.
    pub fn new(
        log: Log,
        (accounts, rooms): (Accounts, Rooms),
        outbox: Outbox,
        mailer: Mailer,
        name: Name,
    ) -> Self {
        Self(Arc::new(Inner {
            log,
            accounts,
            rooms,
            outbox,
            mailer,
            name,
        }))
    }

    /// Works for as long as it is polled, whenever the work is this node's.
    ///
    /// Dropping it loses nothing: it goes on where it stood, here or at another node.
    pub async fn run(&self) {
        let work = |cursor: LeasedCursor| {
            let inner = Arc::clone(&self.0);
            async move {
                let lane = ToMailServer(Arc::clone(&inner));
                let carrying = inner.outbox.carry(&lane, &cursor);
                try_join(inner.follow(&cursor), carrying).await.map(drop)
            }
        };
        let run = LeasedCursor::run(&self.0.log, ToMailServer::NAME, Begin::AtTheStart, work);
        Box::pin(run).await;
    }
}

impl Inner {
    pub(crate) fn clock(&self) -> &dyn Clock {
        &**self.log.clock()
    }

    /// Follows the log from the cursor, for as long as it is polled.
    async fn follow(&self, cursor: &LeasedCursor) -> Result<(), StoreError> {
        self.settle_invites().await?;
        let mut following = cursor.follow();
        loop {
            let batches = following.next(BATCHES).await?;
            let last = following.given();
            let told = batches
                .iter()
                .any(|batch| batch.touched.has_kind(EmailChanges::KIND));
            if told {
                self.put(cursor, last).await?;
                self.settle_invites().await?;
            } else {
                cursor.pass(last);
            }
        }
    }

    /// Puts a letter for each mail into the outbox, and moves the cursor with them.
    async fn put(&self, cursor: &LeasedCursor, last: Pos) -> Result<(), StoreError> {
        let letters = self.accounts.mails_written(cursor.pos(), last).await?;
        self.outbox
            .put_up_to(cursor, last, ToMailServer::NAME, letters)
            .await
    }
}

//! How changes of addresses take part in a batch.

use std::sync::Arc;

use async_trait::async_trait;
use model::time::Clock;
use seal::Keyring;
use store::{Applier, CheckContext, StoreError, Tx, Verdict, Writes};

use super::{
    EMAIL_PROOF_LIFETIME,
    change::{EmailChange, EmailOutcome, EmailRefusal},
    check,
    work::EmailWork,
    write,
};

/// The applier of addresses of mail, and of what proves them.
pub struct EmailChanges {
    keyring: Keyring,
    clock: Arc<dyn Clock>,
}

impl EmailChanges {
    /// Makes the applier, to be registered with the log.
    pub fn new(keyring: Keyring, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { keyring, clock })
    }
}

#[async_trait]
impl Applier for EmailChanges {
    type Change = EmailChange;
    type Outcome = EmailOutcome;
    type Refusal = EmailRefusal;
    type Work = EmailWork;

    const KIND: &'static str = "emails";

    fn size_bytes(change: &EmailChange) -> usize {
        let content = match change {
            EmailChange::Ask(ask) => 512 + ask.next_link.as_ref().map_or(0, String::len),
            EmailChange::Notify { .. } | EmailChange::Invite(_) => 4_096,
            _ => 0,
        };
        512 + content
    }

    async fn prepare(&self, tx: &Tx, changes: &[&EmailChange]) -> Result<EmailWork, StoreError> {
        let hour_ago = self.clock.now().minus(EMAIL_PROOF_LIFETIME);
        EmailWork::load(&self.keyring, tx, changes, hour_ago).await
    }

    fn check(
        &self,
        work: &mut EmailWork,
        change: &EmailChange,
        context: &mut CheckContext<'_>,
    ) -> Result<Verdict<EmailOutcome>, EmailRefusal> {
        check::check(work, change, context)
    }

    fn settle(&self, work: &mut EmailWork, keep: bool) {
        work.settle(keep);
    }

    fn write(&self, work: &mut EmailWork, writes: &mut Writes) -> Result<(), StoreError> {
        write::write(work, writes)
    }
}

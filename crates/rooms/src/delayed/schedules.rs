//! Tells each node that something was scheduled, through the log as everything.

use async_trait::async_trait;
use std::convert::Infallible;
use store::{Applier, CheckContext, Pos, StoreError, Touched, Tx, Verdict, Writes};
use tokio::sync::Notify;

/// The applier of a kind of change that keeps nothing and tells the timers of all nodes to look.
///
/// Kinds are all that a batch tells of such a change, and messages must not wake timers: so it has
/// a kind of its own.
#[derive(Default)]
pub(crate) struct Schedules {
    scheduled: Notify,
}

impl Schedules {
    /// Completes when something was scheduled since the last call completed.
    pub(super) async fn scheduled(&self) {
        self.scheduled.notified().await;
    }
}

#[async_trait]
impl Applier for Schedules {
    type Change = ();
    type Outcome = ();
    type Refusal = Infallible;
    type Work = ();

    const KIND: &'static str = "schedules";

    async fn prepare(&self, _: &Tx, _: &[&()]) -> Result<(), StoreError> {
        Ok(())
    }

    fn check(
        &self,
        (): &mut (),
        (): &(),
        _: &mut CheckContext<'_>,
    ) -> Result<Verdict<()>, Infallible> {
        Ok(Verdict::Apply(()))
    }

    fn settle(&self, (): &mut (), _: bool) {}

    fn write(&self, (): &mut (), _: &mut Writes) -> Result<(), StoreError> {
        Ok(())
    }

    fn committed(&self, (): (), _: Pos) {
        self.scheduled.notify_one();
    }

    fn forget(&self, touched: &Touched, _: Pos) {
        if touched.has_kind(Self::KIND) {
            self.scheduled.notify_one();
        }
    }

    fn forget_all(&self, _: Pos) {
        self.scheduled.notify_one();
    }
}

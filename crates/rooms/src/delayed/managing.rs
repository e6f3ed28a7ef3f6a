//! Restarting, cancelling and forgetting what waits.

use std::time::Duration;

use ruma::UserId;
use store::{Intent, Log};

use crate::{Rooms, RoomsChange, RoomsError, change::DelayedStep};

/// How long the fate of an event is remembered.
const REMEMBER: Duration = Duration::from_secs(7 * 24 * 3_600);

/// Whether there is something to forget.
const OLD: &str = "SELECT hash FROM delayed_events WHERE finalised_at < $1 LIMIT 1";

impl Rooms {
    /// Lets an event wait for its whole delay again, from now on.
    pub async fn restart_delayed(&self, log: &Log, delay_id: &str) -> Result<(), RoomsError> {
        let hash = self.delay_hash(delay_id);
        self.take(log, DelayedStep::Restart { hash }).await
    }

    /// Takes care that an event is never sent.
    pub async fn cancel_delayed(&self, log: &Log, delay_id: &str) -> Result<(), RoomsError> {
        let hash = self.delay_hash(delay_id);
        self.take(log, DelayedStep::Cancel { hash }).await
    }

    /// Adds to an intent that nothing a user has scheduled is left: for accounts that close.
    pub fn add_drop_delayed(&self, intent: &mut Intent, user_id: &UserId) {
        let user_id = user_id.to_owned();
        intent.add::<Self>(RoomsChange::Delayed(DelayedStep::DropUser { user_id }));
    }

    /// Forgets some events whose fate was decided more than a week ago; tells whether there may be
    /// more.
    pub async fn forget_delayed(&self, log: &Log) -> Result<bool, RoomsError> {
        let before = self.clock().now().minus(REMEMBER);
        let params = [before.as_millis().into()];
        if log.database().query_opt(OLD, &params).await?.is_none() {
            return Ok(false);
        }
        self.take(log, DelayedStep::Forget { before }).await?;
        Ok(true)
    }

    pub(super) async fn take(&self, log: &Log, step: DelayedStep) -> Result<(), RoomsError> {
        let change = RoomsChange::Delayed(step);
        self.commit(log, Intent::new(), change).await.map(drop)
    }
}

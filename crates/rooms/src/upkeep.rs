//! What is removed as time passes: clients' transactions that nobody will retry, and the fate of
//! delayed events.

use std::time::Duration;

use store::{Intent, Log};

use crate::{Rooms, RoomsChange, RoomsError};

/// How long a client's transaction is remembered: who was cut off while sending on the last day
/// of work, and is back after a holiday, sends nothing twice.
const REMEMBER_TRANSACTIONS: Duration = Duration::from_secs(7 * 24 * 3_600);

/// How many transactions one change forgets, so that it holds the log for a moment only.
pub(crate) const TRANSACTIONS_PER_CHANGE: i64 = 1_000;

/// How often a running server looks.
const INTERVAL: Duration = Duration::from_secs(3_600);

/// Whether the oldest may be forgotten; transactions stand in the order of the log.
const OLD: &str = "SELECT t.pos FROM (SELECT MIN(pos) AS pos FROM transactions) t \
     LEFT JOIN events e ON e.pos = t.pos \
     WHERE t.pos IS NOT NULL AND (e.ts IS NULL OR e.ts < $1)";

impl Rooms {
    /// Forgets some of the transactions that are more than a week old; tells whether there may
    /// be more.
    ///
    /// After that, the same request makes another event.
    pub async fn forget_transactions(&self, log: &Log) -> Result<bool, RoomsError> {
        let before = self.clock().now().minus(REMEMBER_TRANSACTIONS);
        let params = [before.as_millis().into()];
        if log.database().query_opt(OLD, &params).await?.is_none() {
            return Ok(false);
        }
        let change = RoomsChange::ForgetTransactions { before };
        self.commit(log, Intent::new(), change).await?;
        Ok(true)
    }

    /// Forgets old transactions and delayed events every hour, for as long as it is polled.
    ///
    /// Dropping it between two changes loses nothing: the next hour goes on.
    pub async fn forget_transactions_regularly(&self, log: &Log) {
        loop {
            if let Err(error) = self.forget_all_old(log).await {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, "what is old is remembered for another hour");
            }
            self.clock().sleep(INTERVAL).await;
        }
    }

    async fn forget_all_old(&self, log: &Log) -> Result<(), RoomsError> {
        while self.forget_transactions(log).await? {}
        while self.forget_delayed(log).await? {}
        Ok(())
    }
}

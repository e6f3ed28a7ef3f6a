//! Removing messages that their device has, and bounding the queues of devices that never ask.

use std::time::Duration;

use store::{CommitError, Intent, Pos, Reader, StoreError};

use super::applier::{ToDeviceChange, ToDeviceChanges};
use crate::Keys;

/// How long a finished send is remembered: far longer than clients retry.
const REMEMBER_SENDS: Duration = Duration::from_secs(24 * 3_600);

/// How many sends one change forgets, so that it holds the log for a moment only.
pub(super) const FORGOTTEN_SENDS: i64 = 1_000;

/// How often a running server trims.
const INTERVAL: Duration = Duration::from_secs(3_600);

/// How many queues one round of trimming shortens.
const QUEUES_PER_ROUND: i64 = 100;

impl Keys {
    /// The most messages that wait for one device.
    pub const QUEUE_LIMIT: u32 = 50_000;

    /// Removes the messages that a device has proved to have, by a token at or past `upto`.
    ///
    /// It is a change of the log like any other, made only when something is to be removed. If
    /// it is lost, messages stay until the device's next token.
    pub async fn acknowledge_to_device(
        &self,
        reader: &Reader,
        user: i64,
        device: &str,
        upto: Pos,
    ) -> Result<(), StoreError> {
        const FIRST: &str = "SELECT pos FROM to_device_messages \
             WHERE user_id = $1 AND device_id = $2 AND pos <= $3 ORDER BY pos LIMIT 1";
        let params = [user.into(), device.into(), upto.get().into()];
        if reader.query_opt(FIRST, &params).await?.is_none() {
            return Ok(());
        }
        let device = device.to_owned();
        self.change(ToDeviceChange::Acknowledge { user, device, upto })
            .await
    }

    /// Shortens queues beyond [`Keys::QUEUE_LIMIT`], oldest messages first, and forgets sends of
    /// more than a day ago; tells whether there may be more to do.
    ///
    /// A device with such a queue has been away for very long, and gets the keys of old
    /// messages from the key backup. It is the only case in which a message is given up.
    pub async fn trim_to_device(&self) -> Result<bool, StoreError> {
        const LONG: &str = "SELECT user_id, device_id FROM to_device_messages \
             GROUP BY user_id, device_id HAVING COUNT(*) > $1 LIMIT $2";
        const FIRST_TO_GO: &str = "SELECT pos FROM to_device_messages \
             WHERE user_id = $1 AND device_id = $2 ORDER BY pos DESC LIMIT 1 OFFSET $3";
        let limit = i64::from(Self::QUEUE_LIMIT);
        let database = self.log.database();
        let params = [limit.into(), QUEUES_PER_ROUND.into()];
        let long = database.query(LONG, &params).await?;
        for queue in &long {
            let (user, device) = (queue.int(0)?, queue.text(1)?);
            let params = [user.into(), device.into(), limit.into()];
            if let Some(row) = database.query_opt(FIRST_TO_GO, &params).await? {
                let (device, upto) = (device.to_owned(), Pos::new(row.int(0)?));
                self.change(ToDeviceChange::Trim { user, device, upto })
                    .await?;
            }
        }
        const OLD: &str = "SELECT at FROM to_device_sends WHERE at < $1 LIMIT 1";
        let before = self.log.clock().now().minus(REMEMBER_SENDS);
        let params = [before.as_millis().into()];
        if database.query_opt(OLD, &params).await?.is_none() {
            return Ok(long.len() as i64 == QUEUES_PER_ROUND);
        }
        self.change(ToDeviceChange::ForgetSends { before }).await?;
        Ok(true)
    }

    /// Trims every hour, for as long as it is polled.
    ///
    /// Dropping it between two changes loses nothing: the next hour goes on.
    pub async fn trim_to_device_regularly(&self) {
        loop {
            if let Err(error) = self.trim_all().await {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, "queues of messages to devices were not trimmed");
            }
            self.log.clock().sleep(INTERVAL).await;
        }
    }

    async fn trim_all(&self) -> Result<(), StoreError> {
        while self.trim_to_device().await? {}
        Ok(())
    }

    async fn change(&self, change: ToDeviceChange) -> Result<(), StoreError> {
        let mut intent = Intent::new();
        intent.add::<ToDeviceChanges>(change);
        let committed = self.log.commit(intent).await;
        committed.map(drop).map_err(CommitError::into_store)
    }
}

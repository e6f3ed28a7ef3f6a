//! How many keys a device has left.

use std::collections::BTreeMap;

use ruma::OneTimeKeyAlgorithm;
use store::{Intent, Reader, StoreError};

use super::applier::{PrekeyChange, PrekeyChanges};
use crate::Keys;

impl Keys {
    /// How many unclaimed one-time keys a device has, by algorithm.
    ///
    /// Algorithms without keys are absent; a client that sees none of an algorithm uploads
    /// more, so `sync` tells the counts always.
    pub async fn one_time_key_counts(
        &self,
        reader: &Reader,
        user: i64,
        device: &str,
    ) -> Result<BTreeMap<OneTimeKeyAlgorithm, u64>, StoreError> {
        const COUNT: &str = "SELECT algorithm, COUNT(*) FROM one_time_keys \
             WHERE user_id = $1 AND device_id = $2 AND claimed_pos IS NULL GROUP BY algorithm";
        let rows = reader.query(COUNT, &[user.into(), device.into()]).await?;
        let counts = rows.iter().map(|row| {
            let count = u64::try_from(row.int(1)?).unwrap_or(0);
            Ok((OneTimeKeyAlgorithm::from(row.text(0)?), count))
        });
        counts.collect()
    }

    /// The algorithms of a device's fallback keys that nobody has been given yet.
    pub async fn unused_fallback_key_types(
        &self,
        reader: &Reader,
        user: i64,
        device: &str,
    ) -> Result<Vec<OneTimeKeyAlgorithm>, StoreError> {
        const UNUSED: &str = "SELECT algorithm FROM fallback_keys \
             WHERE user_id = $1 AND device_id = $2 AND used = 0 ORDER BY algorithm";
        let rows = reader.query(UNUSED, &[user.into(), device.into()]).await?;
        let algorithms = rows
            .iter()
            .map(|row| row.text(0).map(OneTimeKeyAlgorithm::from));
        algorithms.collect()
    }

    /// Adds to an intent that all unclaimed one-time keys are dropped and all fallback keys count
    /// as used.
    ///
    /// For after a restore: keys that were given away since the copy would be given away twice.
    /// Clients see that none are left and upload new ones.
    pub fn drop_unclaimed_one_time_keys(intent: &mut Intent) {
        intent.add::<PrekeyChanges>(PrekeyChange::DropUnclaimed);
    }
}

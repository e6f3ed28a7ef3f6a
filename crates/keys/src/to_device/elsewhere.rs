//! Messages to devices that are told to who speaks for the device, and not asked for.

use store::{CommitError, Intent, Pos, Reader, StoreError};

use super::applier::{ToDeviceChange, ToDeviceChanges};
use crate::Keys;

/// A message that its device has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldMessage {
    /// Whose device.
    pub user: i64,
    /// The device.
    pub device: String,
    /// The message's place.
    pub pos: Pos,
}

impl Keys {
    /// Where in the log messages came to wait for a device, after a position and up to another.
    pub async fn to_device_places(
        &self,
        reader: &Reader,
        (user, device): (i64, &str),
        after: Pos,
        upto: Pos,
    ) -> Result<Vec<Pos>, StoreError> {
        const PLACES: &str = "SELECT pos FROM to_device_messages \
             WHERE user_id = $1 AND device_id = $2 AND pos > $3 AND pos <= $4 ORDER BY pos";
        let params = [
            user.into(),
            device.into(),
            after.get().into(),
            upto.get().into(),
        ];
        let rows = reader.query(PLACES, &params).await?;
        rows.iter().map(|row| Ok(Pos::new(row.int(0)?))).collect()
    }

    /// Removes messages that were taken by who speaks for their devices, and no others.
    pub async fn to_device_told(&self, messages: Vec<ToldMessage>) -> Result<(), StoreError> {
        if messages.is_empty() {
            return Ok(());
        }
        let mut intent = Intent::new();
        intent.add::<ToDeviceChanges>(ToDeviceChange::Told { messages });
        let committed = self.log.commit(intent).await;
        committed.map(drop).map_err(CommitError::into_store)
    }
}

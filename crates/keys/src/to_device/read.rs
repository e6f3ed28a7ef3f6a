//! Reading what waits for a device.

use ruma::{events::AnyToDeviceEvent, serde::Raw};
use seal::Place;
use store::{Pos, Reader, StoreError};

use super::tables::message_place;
use crate::Keys;

/// Messages that wait for a device.
#[derive(Clone, Debug)]
pub struct WaitingMessages {
    /// The messages, oldest first.
    pub events: Vec<Raw<AnyToDeviceEvent>>,
    /// What the device has when it has these: the place of the last one, or else the position
    /// up to which was looked.
    pub upto: Pos,
    /// Whether more wait.
    pub more: bool,
}

impl Keys {
    /// Reads at most `limit` messages that came after `after`, up to `head`.
    ///
    /// Reading deletes nothing: messages go when the device comes back with a token at or past
    /// them, see [`Keys::acknowledge_to_device`].
    pub async fn to_device_since(
        &self,
        reader: &Reader,
        user: i64,
        device: &str,
        after: Pos,
        head: Pos,
        limit: usize,
    ) -> Result<WaitingMessages, StoreError> {
        const WAITING: &str = "SELECT pos, send_id, sealed FROM to_device_messages \
             WHERE user_id = $1 AND device_id = $2 AND pos > $3 AND pos <= $4 \
             ORDER BY pos LIMIT $5";
        let one_more = i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1;
        let params = [
            user.into(),
            device.into(),
            after.get().into(),
            head.get().into(),
            one_more.into(),
        ];
        let mut rows = reader.query(WAITING, &params).await?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let sealed: Vec<&[u8]> = rows
            .iter()
            .map(|row| row.bytes(2))
            .collect::<Result<_, _>>()?;
        let keys = self.keyring.keys_of(reader, sealed).await?;
        let mut upto = if more { after } else { head };
        let mut events = Vec::with_capacity(rows.len());
        for row in &rows {
            let place = Place {
                table: "to_device_messages",
                column: "sealed",
                id: &message_place(user, device, row.text(1)?),
            };
            let json = keys.open(place, row.bytes(2)?)?;
            let json = String::from_utf8(json).map_err(|_| damaged())?;
            events.push(Raw::from_json_string(json).map_err(|_| damaged())?);
            if more {
                upto = Pos::new(row.int(0)?);
            }
        }
        Ok(WaitingMessages { events, upto, more })
    }
}

fn damaged() -> StoreError {
    StoreError::Damaged("a message to a device is not JSON".to_owned())
}

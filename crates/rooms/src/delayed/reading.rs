//! Reading what waits, and what became of it.

use std::time::Duration;

use model::time::Timestamp;
use ruma::OwnedEventId;
use store::{Row, Snapshot, StoreError};

use super::{DelayHash, DelayedEvent, DelayedFate, DelayedText, delayed_place};
use crate::{Rooms, RoomsError, RoomsRefusal, applier::hex, rooms::stored_room_id};

const FIND: &str = "SELECT hash, sealed, user_id, room, type, state_key, delay_ms, running_since, \
     finalised_at, outcome, event_id FROM delayed_events WHERE hash = $1";

const SCHEDULED: &str = "SELECT hash, sealed, user_id, room, type, state_key, delay_ms, \
     running_since, finalised_at, outcome, event_id FROM delayed_events \
     WHERE user_id = $1 AND due IS NOT NULL ORDER BY due, pos";

impl Rooms {
    /// What a user has scheduled, in the order in which it will be sent.
    pub async fn scheduled_events(&self, user: i64) -> Result<Vec<DelayedEvent>, StoreError> {
        let snapshot = self.snapshot().await?;
        let rows = snapshot.query(SCHEDULED, &[user.into()]).await?;
        self.open_delayed(&snapshot, &rows).await
    }

    /// One of a user's delayed events, also when its fate is decided.
    pub async fn delayed_event(
        &self,
        user: i64,
        delay_id: &str,
    ) -> Result<DelayedEvent, RoomsError> {
        let found = self.delayed_by_hash(&self.delay_hash(delay_id)).await?;
        let own = found.filter(|event| event.user == user);
        own.ok_or_else(|| RoomsRefusal::NoSuchDelayedEvent.into())
    }

    pub(super) async fn delayed_by_hash(
        &self,
        hash: &DelayHash,
    ) -> Result<Option<DelayedEvent>, StoreError> {
        let snapshot = self.snapshot().await?;
        let rows = snapshot.query(FIND, &[hash[..].into()]).await?;
        Ok(self.open_delayed(&snapshot, &rows).await?.pop())
    }

    /// Opens rows that begin like those of [`FIND`].
    pub(super) async fn open_delayed(
        &self,
        snapshot: &Snapshot,
        rows: &[Row],
    ) -> Result<Vec<DelayedEvent>, StoreError> {
        let mut events = Vec::with_capacity(rows.len());
        for row in rows {
            events.push(self.open_one(snapshot, row).await?);
        }
        Ok(events)
    }

    pub(super) async fn open_one(
        &self,
        snapshot: &Snapshot,
        row: &Row,
    ) -> Result<DelayedEvent, StoreError> {
        let damaged = |column: &str| StoreError::Damaged(format!("delayed_events.{column}"));
        let hash = DelayHash::try_from(row.bytes(0)?).map_err(|_| damaged("hash"))?;
        let sealed = row.bytes(1)?;
        let keys = self.keyring().keys_of(snapshot, [sealed]).await?;
        let plain = keys.open(delayed_place(&hex(&hash)), sealed)?;
        let text: DelayedText = serde_json::from_slice(&plain).map_err(|_| damaged("sealed"))?;
        let name = self.names().room_name(snapshot, row.int(3)?).await?;
        let delay_ms = u64::try_from(row.int(6)?).map_err(|_| damaged("delay_ms"))?;
        let mut event = DelayedEvent {
            delay_id: text.id,
            room_id: stored_room_id(&name)?,
            kind: row.text(4)?.into(),
            state_key: row.opt_text(5)?.map(str::to_owned),
            content: text.content,
            delay: Duration::from_millis(delay_ms),
            running_since: Timestamp::from_millis(row.int(7)?),
            finalised: None,
            user: row.int(2)?,
            hash,
        };
        if let Some(at) = row.opt_int(8)? {
            let fate = match (row.opt_text(9)?, text.failure) {
                (Some("sent"), _) => {
                    let event_id = row.opt_text(10)?.map(OwnedEventId::try_from);
                    let event_id = event_id.and_then(Result::ok);
                    DelayedFate::Sent(event_id.ok_or_else(|| damaged("event_id"))?)
                }
                (Some("cancelled"), _) => DelayedFate::Cancelled,
                (Some("failed"), Some(failure)) => DelayedFate::Failed(failure),
                _ => return Err(damaged("outcome")),
            };
            event.finalised = Some((Timestamp::from_millis(at), fate));
        }
        Ok(event)
    }
}

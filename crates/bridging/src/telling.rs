//! What letters tell a service, at the moment at which they are delivered.

use std::sync::Arc;

use appservices::Appservice;
use keys::ToldMessage;
use model::{
    client_form::{ClientFragment, Unsigned},
    event::Pdu,
    time::Timestamp,
};
use rooms::{ReceiptEntry, Room, StoredEvent};
use ruma::{DeviceId, OwnedUserId, RoomId};
use serde_json::{Map, Value, json, value::RawValue};
use store::{Batch, Pos, Snapshot, StoreError};

use crate::{
    acquaintances::Acquaintances,
    bridging::Inner,
    following::speaks_for_devices,
    transaction::{Content, KeysLeft},
};

/// Reads what letters tell one service.
pub(crate) struct Telling<'a> {
    pub(crate) inner: &'a Inner,
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) appservice: &'a Appservice,
    pub(crate) now: Timestamp,
}

impl Telling<'_> {
    /// Adds what the change at a position means to the service.
    pub(crate) async fn add(&self, content: &mut Content, pos: Pos) -> Result<(), StoreError> {
        let rooms = &self.inner.rooms;
        if let Some((room, event)) = rooms.event_of(self.snapshot, pos).await? {
            let replaced = self.replaced(&room, &event).await?;
            if self.appservice.wants_device_data() {
                let acquaintances = Acquaintances::of(self);
                let change = acquaintances.changed_by(&room, &event.pdu, replaced.as_deref(), pos);
                for (user_id, shares) in change.await? {
                    match shares {
                        true => content.ask_again(user_id),
                        false => content.forget(user_id),
                    }
                }
            }
            content.tell(self.event(&room, &event, replaced.as_deref()).await?);
            return Ok(());
        }
        let Some(batch) = self.snapshot.batch_of(pos).await? else {
            return Ok(());
        };
        if self.appservice.wants_ephemeral() {
            self.add_receipts(content, &batch, pos).await?;
        }
        if speaks_for_devices(self.appservice) {
            self.add_messages(content, &batch, pos).await?;
        }
        if self.appservice.wants_device_data() {
            self.add_devices(content, pos).await?;
        }
        Ok(())
    }

    /// An event as clients see it, with the state that it replaced and what redacted it.
    async fn event(
        &self,
        room: &Room,
        event: &StoredEvent,
        replaced: Option<&Pdu>,
    ) -> Result<Box<RawValue>, StoreError> {
        let (rooms, snapshot) = (&self.inner.rooms, self.snapshot);
        let because = match &event.redacted_by {
            Some(by) => rooms.event(snapshot, room, by).await?,
            None => None,
        };
        let because = because.map(|because| {
            let unsigned = Unsigned {
                age: Some(self.age(&because.pdu)),
                ..Unsigned::default()
            };
            raw(text(&because.pdu, &room.room_id, unsigned))
        });
        let unsigned = Unsigned {
            age: Some(self.age(&event.pdu)),
            prev_content: replaced.map(|replaced| replaced.content()),
            replaces_state: replaced.map(|replaced| replaced.event_id()),
            redacted_because: because.as_deref(),
            ..Unsigned::default()
        };
        Ok(raw(text(&event.pdu, &room.room_id, unsigned)))
    }

    /// The state that an event replaced.
    async fn replaced(
        &self,
        room: &Room,
        event: &StoredEvent,
    ) -> Result<Option<Arc<Pdu>>, StoreError> {
        let Some((kind, key)) = event.pdu.state_slot() else {
            return Ok(None);
        };
        let rooms = &self.inner.rooms;
        rooms
            .state_event_before(self.snapshot, room, kind, key, event.ord)
            .await
    }

    fn age(&self, pdu: &Pdu) -> i64 {
        let age = self.now.since(pdu.origin_server_ts()).as_millis();
        i64::try_from(age).unwrap_or(i64::MAX)
    }

    async fn add_receipts(
        &self,
        content: &mut Content,
        batch: &Batch,
        pos: Pos,
    ) -> Result<(), StoreError> {
        let (after, upto) = (pos.get() - 1, pos.get());
        for room in batch.touched.rooms() {
            let rooms = &self.inner.rooms;
            let given = rooms.receipts_between(self.snapshot, room, after, upto);
            for receipt in given.await? {
                if receipt.kind == "m.read" {
                    content.ephemeral.push(self.receipt(room, &receipt).await?);
                }
            }
        }
        Ok(())
    }

    async fn receipt(&self, room: i64, receipt: &ReceiptEntry) -> Result<Value, StoreError> {
        let names = self.inner.log.database().names();
        let room_id = names.room_name(self.snapshot, room).await?;
        let user_id = self
            .inner
            .rooms
            .user_id(self.snapshot, receipt.user)
            .await?;
        let mut data = json!({ "ts": receipt.ts });
        if !receipt.thread.is_empty() {
            data["thread_id"] = receipt.thread.as_str().into();
        }
        let by_user = json!({ user_id.as_str(): data });
        let content = json!({ receipt.event_id.as_str(): { receipt.kind.as_str(): by_user } });
        Ok(json!({ "type": "m.receipt", "room_id": &*room_id, "content": content }))
    }

    /// Messages to the devices of users whom the service has for itself.
    ///
    /// One that is not told of keys reads them by syncing, if it wants them: they wait for that.
    async fn add_messages(
        &self,
        content: &mut Content,
        batch: &Batch,
        pos: Pos,
    ) -> Result<(), StoreError> {
        let before = Pos::new(pos.get() - 1);
        for (user, device) in batch.touched.devices() {
            let user_id = self.inner.rooms.user_id(self.snapshot, user).await?;
            if !self.appservice.owns(&user_id) {
                continue;
            }
            let keys = &self.inner.keys;
            let waiting = keys.to_device_since(self.snapshot, user, device, before, pos, 1);
            for event in waiting.await?.events {
                let message = self.appservice.wants_device_data().then(|| ToldMessage {
                    user,
                    device: device.to_owned(),
                    pos,
                });
                let json = event.json();
                let told = addressed(json, &user_id, device);
                content.pass_on(told, json.get().len(), message);
                self.count_keys(content, (user, &user_id), device).await?;
            }
        }
        Ok(())
    }

    async fn add_devices(&self, content: &mut Content, pos: Pos) -> Result<(), StoreError> {
        let before = Pos::new(pos.get() - 1);
        let keys = &self.inner.keys;
        for (_, user) in keys.device_changes(self.snapshot, before, pos).await? {
            let user_id = self.inner.rooms.user_id(self.snapshot, user).await?;
            if self.appservice.owns(&user_id) {
                for device in self.inner.accounts.devices_of(user).await? {
                    let device_id: &DeviceId = &device.device_id;
                    self.count_keys(content, (user, &user_id), device_id.as_str())
                        .await?;
                }
            }
            content.ask_again(user_id);
        }
        Ok(())
    }

    /// How many one-time keys a device has left, and which of its fallback keys are unused.
    async fn count_keys(
        &self,
        content: &mut Content,
        (user, user_id): (i64, &OwnedUserId),
        device: &str,
    ) -> Result<(), StoreError> {
        let place = (user_id.clone(), device.to_owned());
        if !self.appservice.wants_device_data() || content.keys.contains_key(&place) {
            return Ok(());
        }
        let keys = &self.inner.keys;
        let counts = keys
            .one_time_key_counts(self.snapshot, user, device)
            .await?;
        let mut left: Map<String, Value> = counts
            .into_iter()
            .map(|(algorithm, count)| (algorithm.to_string(), count.into()))
            .collect();
        // Who has none left is to see it.
        left.entry("signed_curve25519").or_insert_with(|| 0.into());
        let unused = keys.unused_fallback_key_types(self.snapshot, user, device);
        let unused = unused.await?.iter().map(ToString::to_string).collect();
        let keys = KeysLeft {
            one_time: left,
            unused_fallback: unused,
        };
        content.keys.insert(place, keys);
        Ok(())
    }
}

fn text(pdu: &Pdu, room_id: &RoomId, unsigned: Unsigned<'_>) -> String {
    ClientFragment::new(pdu).to_text(Some(room_id), unsigned.to_json().as_deref())
}

/// Text that was made as JSON.
fn raw(text: String) -> Box<RawValue> {
    RawValue::from_string(text).expect("events are spliced as JSON")
}

/// A message with whom it is for.
fn addressed(message: &RawValue, user_id: &OwnedUserId, device: &str) -> Value {
    let mut message: Map<String, Value> = serde_json::from_str(message.get()).unwrap_or_default();
    message.insert("to_user_id".to_owned(), user_id.as_str().into());
    message.insert("to_device_id".to_owned(), device.into());
    Value::Object(message)
}

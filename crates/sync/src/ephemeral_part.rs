//! What a sync tells of what passes: receipts, typing, presence.

use std::collections::{BTreeMap, BTreeSet};

use model::time::Timestamp;
use rooms::{ReceiptEntry, Room};
use ruma::{OwnedUserId, UserId};
use serde_json::json;
use store::StoreError;

use crate::{
    ephemeral::Presence,
    reading::Reading,
    render::raw,
    response::{ClientEvent, Events},
};

impl Reading<'_> {
    /// Receipts and typing: what is new of them, or all for one who has just come in.
    pub(crate) async fn ephemeral_of(
        &self,
        room: &Room,
        came_in: bool,
        receipts: &[ReceiptEntry],
    ) -> Result<Events, StoreError> {
        let filter = &self.filter.ephemeral;
        let mut events = Vec::new();
        if !filter.matches_room(&room.room_id) {
            return Ok(Events { events });
        }
        // A first sync has read all of them already.
        let in_full = self.since_pos.is_some() && (came_in || self.full_state);
        if filter.matches_type("m.receipt") && in_full {
            let (rooms, head) = (&self.inner.rooms, self.snapshot.head().get());
            let all = rooms.receipts_between(self.snapshot, room.room, 0, head);
            events.extend(self.receipts(&all.await?).await?);
        } else if filter.matches_type("m.receipt") {
            events.extend(self.receipts(receipts).await?);
        }
        let now = self.inner.clock.now();
        let since = self.ephemeral_since.filter(|_| !came_in);
        let typing = self.inner.ephemeral.typing(room.room, since, now);
        if let Some(typists) = typing.filter(|_| filter.matches_type("m.typing")) {
            events.push(self.typing(room, typists).await?);
        }
        Ok(Events { events })
    }

    /// Who types in a room.
    pub(crate) async fn typing(
        &self,
        room: &Room,
        typists: Vec<i64>,
    ) -> Result<ClientEvent, StoreError> {
        let mut user_ids = Vec::with_capacity(typists.len());
        for user in typists {
            match self.user_id(user).await {
                // Who has left types no more, whatever was said before.
                Ok(user_id) if room.state.is_joined(&user_id) => user_ids.push(user_id),
                Ok(_) => {}
                // The bus may name somebody who is not there, or not yet at this moment.
                Err(StoreError::Damaged(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let event = json!({ "type": "m.typing", "content": { "user_ids": user_ids } });
        Ok(raw(event.to_string()))
    }

    /// How far people have read.
    pub(crate) async fn receipts(
        &self,
        given: &[ReceiptEntry],
    ) -> Result<Option<ClientEvent>, StoreError> {
        type ByUser = BTreeMap<OwnedUserId, serde_json::Value>;
        let mut content: BTreeMap<String, BTreeMap<String, ByUser>> = BTreeMap::new();
        for receipt in given {
            let private = receipt.kind == "m.read.private" && receipt.user != self.syncer.user;
            if private || receipt.kind == "m.fully_read" {
                continue;
            }
            let user_id = self.user_id(receipt.user).await?;
            let mut data = json!({ "ts": receipt.ts });
            if !receipt.thread.is_empty() {
                data["thread_id"] = receipt.thread.as_str().into();
            }
            let of_event = content.entry(receipt.event_id.to_string()).or_default();
            of_event
                .entry(receipt.kind.clone())
                .or_default()
                .insert(user_id, data);
        }
        let event = json!({ "type": "m.receipt", "content": content });
        Ok((!content.is_empty()).then(|| raw(event.to_string())))
    }

    /// Whose presence changed, and that of those whom the user has just met.
    pub(crate) async fn presence(&self, met: &BTreeSet<i64>) -> Result<Events, StoreError> {
        if !self.inner.presence_enabled {
            return Ok(Events::default());
        }
        let now = self.inner.clock.now();
        let ephemeral = &self.inner.ephemeral;
        let mut known = ephemeral.presence_since(self.ephemeral_since, met, now);
        let own = self.syncer.user;
        let others = known.keys().copied().filter(|user| *user != own);
        let sharing = self.inner.sharing(self.snapshot, own, others.collect());
        let sharing = sharing.await?;
        known.retain(|user, _| *user == own || sharing.contains(user));
        let mut events = Vec::new();
        for (user, presence) in known {
            let sender = self.user_id(user).await?;
            if self.filter.presence.matches_type("m.presence")
                && self.filter.presence.matches_sender(&sender)
            {
                events.push(presence_event(&sender, &presence, now));
            }
        }
        Ok(Events { events })
    }
}

fn presence_event(sender: &UserId, presence: &Presence, now: Timestamp) -> ClientEvent {
    let ago = u64::try_from(now.since(presence.active_at).as_millis()).unwrap_or(u64::MAX);
    let mut content = json!({
        "presence": presence.state,
        "last_active_ago": ago,
        "currently_active": presence.state == "online",
    });
    if let Some(status) = &presence.status {
        content["status_msg"] = status.as_str().into();
    }
    raw(json!({ "type": "m.presence", "sender": sender, "content": content }).to_string())
}

//! Events that are sent later: once, when their time has come, or never.

mod bounds;
mod fates;
mod nodes;

use std::time::Duration;

use rooms::{
    DelayedDraft, DelayedEvent, DelayedFailureKind, DelayedFate, EventOrigin, RoomsError,
    RoomsRefusal, StoredEvent, Transaction,
};
use ruma::{RoomId, UserId};
use serde_json::{Value, json};

use crate::harness::{Node, content};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// A message that waits.
pub(crate) fn later(room: &RoomId, sender: &UserId, text: &str, delay: Duration) -> DelayedDraft {
    DelayedDraft {
        room_id: room.to_owned(),
        sender: sender.to_owned(),
        kind: "m.room.message".into(),
        state_key: None,
        content: content(json!({ "msgtype": "m.text", "body": text })),
        delay,
        transaction: None,
    }
}

/// A topic that waits.
pub(crate) fn topic_later(room: &RoomId, sender: &UserId, topic: &str) -> DelayedDraft {
    DelayedDraft {
        kind: "m.room.topic".into(),
        state_key: Some(String::new()),
        content: content(json!({ "topic": topic })),
        ..later(room, sender, "", SECOND)
    }
}

impl Node {
    pub(crate) async fn schedule(&self, draft: DelayedDraft) -> Result<String, RoomsError> {
        self.rooms.schedule(&self.log, draft).await
    }

    /// The texts that were said in a room.
    pub(crate) async fn said(&self, room: &RoomId) -> Vec<String> {
        let timeline = self.timeline(room).await;
        let messages = timeline.iter().map(|event| &event.pdu);
        let messages = messages.filter(|pdu| pdu.type_name() == "m.room.message");
        let body = |content: Value| content["body"].as_str().unwrap().to_owned();
        messages
            .map(|pdu| body(pdu.content_as().unwrap()))
            .collect()
    }

    async fn last(&self, room: &RoomId) -> StoredEvent {
        self.timeline(room).await.pop().unwrap()
    }

    async fn user_number(&self, user: &UserId) -> i64 {
        let snapshot = self.rooms.snapshot().await.unwrap();
        let names = self.database.names();
        names.user(&snapshot, user.as_str()).await.unwrap().unwrap()
    }

    /// A delayed event of somebody's.
    async fn delayed(&self, user: &UserId, delay_id: &str) -> DelayedEvent {
        let user = self.user_number(user).await;
        self.rooms.delayed_event(user, delay_id).await.unwrap()
    }

    /// What became of a delayed event.
    async fn fate(&self, user: &UserId, delay_id: &str) -> Option<DelayedFate> {
        let event = self.delayed(user, delay_id).await;
        event.finalised.map(|(_, fate)| fate)
    }

    async fn send_due(&self) {
        self.rooms.send_due(&self.log).await.unwrap();
    }
}

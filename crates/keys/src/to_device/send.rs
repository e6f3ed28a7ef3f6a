//! Sending messages to devices, once for each transaction.

use std::collections::BTreeSet;

use model::entropy::random_text;
use ruma::{
    OwnedDeviceId, OwnedTransactionId, OwnedUserId,
    events::{AnyToDeviceEventContent, ToDeviceEventType},
    serde::Raw,
};
use serde::Serialize;
use serde_json::value::RawValue;
use store::{CommitError, Intent, StoreError};

use super::applier::{Message, Send, ToDeviceChange, ToDeviceChanges};
use crate::{Keys, limits};

/// Messages that a device sends to others.
#[derive(Clone, Debug)]
pub struct SendToDevices {
    /// Who sends.
    pub sender: OwnedUserId,
    /// The device that sends.
    pub device_id: OwnedDeviceId,
    /// What the client calls this send: a second send of the name does nothing.
    pub txn_id: OwnedTransactionId,
    /// The type of all messages.
    pub event_type: ToDeviceEventType,
    /// The messages, for devices that exist: `*` has become all devices of the user.
    pub messages: Vec<MessageToDevice>,
}

/// A message to one device.
#[derive(Clone, Debug)]
pub struct MessageToDevice {
    /// To whom.
    pub user_id: OwnedUserId,
    /// To which of their devices.
    pub device_id: OwnedDeviceId,
    /// What it says.
    pub content: Raw<AnyToDeviceEventContent>,
}

/// Why nothing is sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The message to a user's device is larger than an event may be.
    #[error("messages.{0}: a message is larger than 64 KiB")]
    TooLarge(String),
    /// The content of the message to a user's device is not an object.
    #[error("messages.{0}: the content of a message must be an object")]
    Malformed(String),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A message as its recipient reads it.
#[derive(Serialize)]
struct Event<'a> {
    r#type: &'a str,
    sender: &'a str,
    content: &'a RawValue,
}

impl Keys {
    /// Queues messages for devices, each until its device proves that it has it.
    ///
    /// Large sends are committed in parts, each of them once: a retry after a failure sends
    /// what is missing. When recipients of such a send come or go between the tries, a device
    /// may get a message twice, but never not at all.
    pub async fn send_to_devices(&self, send: &SendToDevices) -> Result<(), SendError> {
        let messages = messages_of(send)?;
        let parts = parts_of(messages);
        let in_parts = parts.len() > 1;
        for (number, messages) in parts.into_iter().enumerate() {
            let request = self.request_of(send, number, in_parts.then_some(&messages));
            let change = ToDeviceChange::Send(Send {
                sender: send.sender.to_string(),
                device: send.device_id.to_string(),
                request,
                send_id: random_text(&*self.entropy, 16),
                messages,
            });
            let mut intent = Intent::new();
            intent.add::<ToDeviceChanges>(change);
            let committed = self.log.commit(intent).await;
            committed.map_err(CommitError::into_store)?;
        }
        Ok(())
    }

    /// What stands for the transaction id: for one of several parts, its recipients too.
    fn request_of(
        &self,
        send: &SendToDevices,
        number: usize,
        part: Option<&Vec<Message>>,
    ) -> Vec<u8> {
        let mut text = format!("{}\0{}\0{number}", send.event_type, send.txn_id);
        for message in part.into_iter().flatten() {
            for name in [&message.user, &message.device] {
                text.push('\0');
                text.push_str(name);
            }
        }
        self.keyring
            .blind("to_device_sends", text.as_bytes())
            .to_vec()
    }
}

/// The messages, one to each device.
fn messages_of(send: &SendToDevices) -> Result<Vec<Message>, SendError> {
    let event_type = send.event_type.to_string();
    let mut recipients = BTreeSet::new();
    let mut messages = Vec::with_capacity(send.messages.len());
    for message in &send.messages {
        if !recipients.insert((&message.user_id, &message.device_id))
            || !limits::is_id(message.device_id.as_str())
        {
            continue;
        }
        let place = || format!("{}.{}", message.user_id, message.device_id);
        let content = message.content.json();
        if !content.get().starts_with('{') {
            return Err(SendError::Malformed(place()));
        }
        let event = Event {
            r#type: &event_type,
            sender: send.sender.as_str(),
            content,
        };
        let json = serde_json::to_string(&event).map_err(|_| SendError::Malformed(place()))?;
        if json.len() > limits::MESSAGE_BYTES {
            return Err(SendError::TooLarge(place()));
        }
        messages.push(Message {
            user: message.user_id.to_string(),
            device: message.device_id.to_string(),
            json,
        });
    }
    Ok(messages)
}

/// Cuts messages into parts that fit into a batch; at least one, so that the send is noted.
fn parts_of(messages: Vec<Message>) -> Vec<Vec<Message>> {
    let mut parts = vec![Vec::new()];
    let mut size_bytes = 0;
    for message in messages {
        let full = parts.last().is_some_and(|part: &Vec<Message>| {
            part.len() == limits::SEND_MESSAGES
                || (!part.is_empty() && size_bytes + message.size_bytes() > limits::SEND_BYTES)
        });
        if full {
            parts.push(Vec::new());
            size_bytes = 0;
        }
        size_bytes += message.size_bytes();
        if let Some(part) = parts.last_mut() {
            part.push(message);
        }
    }
    parts
}

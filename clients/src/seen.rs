//! What a device shows of a room: its messages, decrypted where that is possible.

use matrix_sdk::{
    deserialized_responses::{TimelineEvent, TimelineEventKind},
    ruma::{
        OwnedEventId, OwnedUserId,
        events::{
            AnySyncMessageLikeEvent, AnySyncTimelineEvent, SyncMessageLikeEvent,
            room::message::{FileMessageEventContent, MessageType},
        },
    },
};

/// A message as a device shows it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The event's id.
    pub id: OwnedEventId,
    /// Who sent it.
    pub sender: OwnedUserId,
    /// Whether it came encrypted.
    pub encrypted: bool,
    /// What it says.
    pub content: Content,
}

/// What a message says.
#[derive(Clone, Debug)]
pub enum Content {
    /// A text.
    Text(String),
    /// A file.
    File(Box<FileMessageEventContent>),
    /// Something that this device cannot decrypt.
    Unreadable,
    /// Anything else, such as a step of a verification.
    Other,
}

impl Seen {
    /// What the device shows for this event; nothing for a state event.
    #[must_use]
    pub fn of(event: &TimelineEvent) -> Option<Self> {
        let AnySyncTimelineEvent::MessageLike(message) = event.raw().deserialize().ok()? else {
            return None;
        };
        let unreadable = matches!(event.kind, TimelineEventKind::UnableToDecrypt { .. });
        Some(Self {
            id: message.event_id().to_owned(),
            sender: message.sender().to_owned(),
            encrypted: !matches!(event.kind, TimelineEventKind::PlainText { .. }),
            content: if unreadable {
                Content::Unreadable
            } else {
                Content::of(&message)
            },
        })
    }

    /// The text, if it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The file, if it is one.
    #[must_use]
    pub fn file(&self) -> Option<&FileMessageEventContent> {
        match &self.content {
            Content::File(file) => Some(file),
            _ => None,
        }
    }

    /// Says whether this device cannot decrypt it.
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        matches!(self.content, Content::Unreadable)
    }
}

impl Content {
    fn of(message: &AnySyncMessageLikeEvent) -> Self {
        let AnySyncMessageLikeEvent::RoomMessage(SyncMessageLikeEvent::Original(message)) = message
        else {
            return Self::Other;
        };
        match &message.content.msgtype {
            MessageType::Text(text) => Self::Text(text.body.clone()),
            MessageType::File(file) => Self::File(Box::new(file.clone())),
            _ => Self::Other,
        }
    }
}

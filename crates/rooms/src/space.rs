//! The rooms of a space, as its state names them.

use std::sync::Arc;

use model::{event::Pdu, room_state::RoomState};
use ruma::OwnedRoomId;
use serde::{Deserialize, Serialize};

/// What a child takes in memory beside its content, about.
const CHILD_BYTES: usize = 512;

/// The longest `order` that counts.
const LONGEST_ORDER: usize = 50;

/// A room of a space.
#[derive(Debug)]
pub struct SpaceChild {
    /// The room, which need not exist here.
    pub room_id: OwnedRoomId,
    /// Whether the space recommends it.
    pub suggested: bool,
    /// The event that names it.
    pub event: Arc<Pdu>,
    /// Where it stands among the others.
    pub(crate) place: Place,
}

/// A place among the children of a space: those with an order first, then by time, then by room.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Place {
    #[serde(rename = "u", default, skip_serializing_if = "std::ops::Not::not")]
    is_unordered: bool,
    #[serde(rename = "o", default, skip_serializing_if = "String::is_empty")]
    order: String,
    #[serde(rename = "t")]
    at: i64,
    #[serde(rename = "r")]
    room_id: OwnedRoomId,
}

impl SpaceChild {
    /// The children of a space in their order; what says through nobody how to get there is none.
    pub(crate) fn all_of(state: &RoomState) -> Vec<Self> {
        let children = state.of_type("m.space.child");
        let children = children.filter_map(|(room, event)| Self::read(room, event));
        let mut children: Vec<Self> = children.collect();
        children.sort_unstable_by(|one, other| one.place.cmp(&other.place));
        children
    }

    fn read(room: &str, event: &Arc<Pdu>) -> Option<Self> {
        // Each field for itself: one that is malformed says nothing about the others.
        #[derive(Deserialize)]
        struct Content {
            via: Vec<String>,
            #[serde(default)]
            order: serde_json::Value,
            #[serde(default)]
            suggested: serde_json::Value,
        }
        let content: Content = event.content_as().ok()?;
        if content.via.is_empty() {
            return None;
        }
        let room_id = OwnedRoomId::try_from(room).ok()?;
        let order = content.order.as_str().filter(|order| is_order(order));
        Some(Self {
            place: Place {
                is_unordered: order.is_none(),
                order: order.unwrap_or_default().to_owned(),
                at: event.origin_server_ts().as_millis(),
                room_id: room_id.clone(),
            },
            room_id,
            suggested: content.suggested == true,
            event: Arc::clone(event),
        })
    }

    pub(crate) fn size_bytes(&self) -> usize {
        CHILD_BYTES + self.event.json().len()
    }
}

fn is_order(order: &str) -> bool {
    let is_printable = |byte: u8| (0x20..=0x7e).contains(&byte);
    (1..=LONGEST_ORDER).contains(&order.len()) && order.bytes().all(is_printable)
}

//! One event of a room's timeline, with all that is told beside it: for syncs, and for pages.

use rooms::{Bundles, History, Room, Rooms, StoredEvent};
use ruma::RoomId;
use store::{Reader as StoreReader, StoreError};

use crate::{
    bundling::Bundling,
    render::{Beside, Reader, timeline_event},
    response::ClientEvent,
};

/// What it takes to tell of events of one room, at one moment, to one reader.
#[derive(Clone, Copy)]
pub struct Telling<'a> {
    /// Where events are read.
    pub rooms: &'a Rooms,
    /// The moment.
    pub snapshot: &'a StoreReader,
    /// The room.
    pub room: &'a Room,
    /// What the reader may see of it, and where they stood.
    pub history: &'a History,
    /// Who reads.
    pub reader: Reader<'a>,
    /// Where the response does not say which room it is of.
    pub room_id: Option<&'a RoomId>,
    /// What relates to the events.
    pub bundles: &'a Bundles,
}

impl Telling<'_> {
    /// The event in its final text.
    pub async fn event(&self, event: &StoredEvent) -> Result<ClientEvent, StoreError> {
        let room_id = self.room_id;
        let because = match &event.redacted_by {
            Some(by) => self.rooms.event(self.snapshot, self.room, by).await?,
            None => None,
        };
        let beside = Beside {
            room_id,
            ..Beside::default()
        };
        let because = because.map(|event| timeline_event(&event, self.reader, beside));
        let replaced = match event.pdu.state_slot() {
            Some((kind, key)) => {
                let before = event.ord;
                let replaced =
                    self.rooms
                        .state_event_before(self.snapshot, self.room, kind, key, before);
                replaced.await?
            }
            None => None,
        };
        // At the event: what it changes of the reader's own membership counts already.
        let membership = self.history.membership_before(event.ord.saturating_add(1));
        let bundling = Bundling {
            bundles: self.bundles,
            reader: self.reader,
            history: self.history,
            room_id,
        };
        let relations = bundling.of(event.pdu.event_id());
        let beside = Beside {
            membership: Some(membership.as_str()),
            relations: relations.as_deref(),
            prev_content: replaced.as_ref().map(|event| event.content()),
            redacted_because: because.as_deref(),
            room_id,
        };
        Ok(timeline_event(event, self.reader, beside))
    }
}

//! A room as it stands at the head of the log, shared by all requests.

use std::sync::Arc;

use model::{
    event::{EventRef, Pdu},
    room_state::{BadCreateEvent, RoomState},
};
use ruma::{
    OwnedEventId, OwnedRoomId, RoomId, RoomVersionId, room_version_rules::RoomVersionRules,
};
use seal::Keyring;
use store::{Pos, Reader, StoreError};

use crate::{
    earlier::EarlierRooms,
    stored::{event_id_at, open_rows},
};

/// A room at the head of the log. Cloning shares what did not change.
#[derive(Clone)]
pub struct Room {
    /// The integer that stands for the room.
    pub room: i64,
    /// The room's id.
    pub room_id: OwnedRoomId,
    /// Its current state.
    pub state: Arc<RoomState>,
    /// Whether the public directory shows it.
    pub published: bool,
    /// The user, by interned id, who gets the server's notices in it.
    pub(crate) notices_for: Option<i64>,
    /// The last event of the timeline.
    pub(crate) head: EventRef,
    pub(crate) depth: i64,
    pub(crate) last_pos: Pos,
    pub(crate) bump_pos: Pos,
    pub(crate) state_pos: Pos,
}

const READ_ROOM: &str = "SELECT version, head_event, depth, last_pos, state_pos, published, \
     bump_pos, notices_for FROM rooms WHERE room = $1";

/// What was added to the state since.
const READ_ADDED: &str = "SELECT e.event_id, e.sealed FROM state_changes s \
     JOIN events e ON e.event_id = s.event_id WHERE s.room = $1 AND s.pos > $2 ORDER BY s.ord";

/// The newest entry of every place in the state, the create event first.
const READ_STATE: &str = "SELECT e.event_id, e.sealed FROM state_changes s \
     JOIN events e ON e.event_id = s.event_id \
     WHERE s.room = $1 AND s.ord = (SELECT MAX(t.ord) FROM state_changes t \
     WHERE t.room = s.room AND t.type = s.type AND t.state_key = s.state_key) ORDER BY s.ord";

const READ_EVENT: &str = "SELECT event_id, sealed FROM events WHERE event_id = $1";

/// Events that somebody is meant to read: a room with a new one stands first in lists.
const BUMPS: [&str; 8] = [
    "m.room.create",
    "m.room.message",
    "m.room.encrypted",
    "m.sticker",
    "m.call.invite",
    "m.poll.start",
    "org.matrix.msc3381.poll.start",
    "m.beacon_info",
];

impl Room {
    /// A room from its create event.
    pub(crate) fn born(room: i64, create: &Arc<Pdu>, pos: Pos) -> Result<Self, BadCreateEvent> {
        Ok(Self {
            room,
            room_id: create.room_id().to_owned(),
            state: Arc::new(RoomState::new(Arc::clone(create))?),
            published: false,
            notices_for: None,
            head: create.reference(),
            depth: create.depth(),
            last_pos: pos,
            bump_pos: pos,
            state_pos: pos,
        })
    }

    /// Reads a room as it stands; `None` when there is no such room. Of one that is known from
    /// earlier, it reads what was added since.
    pub(crate) async fn read(
        reader: &Reader,
        keyring: &Keyring,
        (room, room_id): (i64, &RoomId),
        earlier: &EarlierRooms,
    ) -> Result<Option<Self>, StoreError> {
        let earlier = earlier.get(room);
        let Some(row) = reader.query_opt(READ_ROOM, &[room.into()]).await? else {
            return Ok(None);
        };
        let rules = stored_rules(row.text(0)?)?;
        let (last_pos, state_pos) = (Pos::new(row.int(3)?), Pos::new(row.int(4)?));
        let before = earlier.as_ref();
        let before = before.and_then(|earlier| earlier.leads_to(last_pos, state_pos));
        let state = match before {
            Some(before) if before.state_pos == state_pos => Arc::clone(&before.state),
            Some(before) => Arc::new(read_added(reader, keyring, before).await?),
            None => Arc::new(read_state(reader, keyring, &rules, (room, room_id)).await?),
        };
        let head = read_reference(reader, keyring, &rules, event_id_at(&row, 1)?).await?;
        let head = head.ok_or_else(|| damaged(room_id, "its last event is missing"))?;
        Ok(Some(Self {
            room,
            room_id: room_id.to_owned(),
            state,
            published: row.flag(5)?,
            notices_for: row.opt_int(7)?,
            head,
            depth: row.int(2)?,
            last_pos,
            bump_pos: Pos::new(row.int(6)?),
            state_pos,
        }))
    }

    /// The rules of the room's version.
    pub fn rules(&self) -> &RoomVersionRules {
        self.state.rules()
    }

    /// The room's version.
    pub fn version(&self) -> &RoomVersionId {
        &self.state.create().version
    }

    /// Notes an event at the end of the timeline.
    pub(crate) fn grow(&mut self, pdu: &Pdu, pos: Pos) {
        self.head = pdu.reference();
        self.depth = pdu.depth();
        self.last_pos = pos;
        if BUMPS.contains(&pdu.type_name()) {
            self.bump_pos = pos;
        }
    }

    /// The position of the last change of its state.
    pub fn state_pos(&self) -> Pos {
        self.state_pos
    }

    /// The position of its last event.
    pub fn last_pos(&self) -> Pos {
        self.last_pos
    }
}

fn damaged(room_id: &RoomId, what: impl std::fmt::Display) -> StoreError {
    StoreError::Damaged(format!("room {room_id}: {what}"))
}

async fn read_state(
    reader: &Reader,
    keyring: &Keyring,
    rules: &RoomVersionRules,
    (room, room_id): (i64, &RoomId),
) -> Result<RoomState, StoreError> {
    let rows = reader.query(READ_STATE, &[room.into()]).await?;
    let mut events = open_rows(reader, keyring, rules, &rows).await?.into_iter();
    let create = events.next().ok_or_else(|| damaged(room_id, "no state"))?;
    let mut state = RoomState::new(create).map_err(|error| damaged(room_id, error))?;
    events.for_each(|event| state.apply(event));
    Ok(state)
}

async fn read_added(
    reader: &Reader,
    keyring: &Keyring,
    before: &Room,
) -> Result<RoomState, StoreError> {
    let params = [before.room.into(), before.state_pos.get().into()];
    let rows = reader.query(READ_ADDED, &params).await?;
    let mut state = RoomState::clone(&before.state);
    for event in open_rows(reader, keyring, before.rules(), &rows).await? {
        state.apply(event);
    }
    Ok(state)
}

/// How the next event refers to the last one.
async fn read_reference(
    reader: &Reader,
    keyring: &Keyring,
    rules: &RoomVersionRules,
    event_id: OwnedEventId,
) -> Result<Option<EventRef>, StoreError> {
    if !rules.event_format.require_event_id {
        let reference = EventRef {
            event_id,
            reference_hash: None,
        };
        return Ok(Some(reference));
    }
    let rows = reader
        .query(READ_EVENT, &[event_id.as_str().into()])
        .await?;
    let event = open_rows(reader, keyring, rules, &rows).await?.pop();
    Ok(event.map(|event| event.reference()))
}

pub(crate) fn stored_rules(version: &str) -> Result<RoomVersionRules, StoreError> {
    let known = RoomVersionId::try_from(version)
        .ok()
        .and_then(|version| version.rules());
    known.ok_or_else(|| StoreError::Damaged(format!("rooms.version: {version}")))
}

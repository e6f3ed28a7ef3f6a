//! Reading a room's timeline: pages, single events, the state around them.

use std::{collections::BTreeSet, sync::Arc};

use model::{event::Pdu, filter::EventFilter};
use ruma::{EventId, OwnedRoomId, OwnedUserId, RoomId, UserId};
use store::{Pos, Reader, Snapshot, StoreError};

use crate::{
    History, Room, Rooms, RoomsError, RoomsRefusal, StoredEvent,
    rooms::stored_room_id,
    stored::{open_events, open_rows},
};

/// Which way a page is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From older to newer events.
    Forward,
    /// From newer to older events.
    Backward,
}

/// Which part of a timeline is read. A boundary stands before the event whose `ord` it names.
#[derive(Clone, Copy)]
pub struct PageRequest<'a> {
    /// The boundary where reading begins.
    pub from: i64,
    /// The boundary where reading stops early.
    pub to: Option<i64>,
    /// Which way.
    pub direction: Direction,
    /// How many events, at most.
    pub limit: usize,
    /// Which events.
    pub filter: &'a EventFilter,
    /// Whose events are left out, unless they are state.
    pub ignored: &'a BTreeSet<OwnedUserId>,
    /// Whether it ends at the first event that the reader may not see, once there was one that
    /// they may: what is told as one run then misses nothing in between.
    pub unbroken: bool,
}

/// A part of a timeline. A boundary stands before the event whose `ord` it names.
pub struct Page {
    /// The events, in the direction of reading.
    pub events: Vec<StoredEvent>,
    /// Where reading goes on; `None` at the end.
    pub next: Option<i64>,
}

/// How many rows are read at once, and how many at most for one page: what a filter or the
/// visibility leaves out must not make one request read a whole room.
const CHUNK: usize = 128;

/// How many rows are read first, at least: most pages are all of what is read for them.
const FIRST_CHUNK: usize = 8;
const MOST_ROWS: usize = 2_048;

/// A page that grows.
struct Gathering<'a> {
    history: &'a History,
    request: &'a PageRequest<'a>,
    events: Vec<StoredEvent>,
    /// Where reading goes on.
    from: i64,
    has_seen: bool,
}

const BACKWARD: &str = "SELECT event_id, sealed, pos, ord, redacted_by FROM events \
     WHERE room = $1 AND ord < $2 AND ord >= $3 AND pos <= $4 AND rejected = 0 \
     ORDER BY ord DESC LIMIT $5";

const FORWARD: &str = "SELECT event_id, sealed, pos, ord, redacted_by FROM events \
     WHERE room = $1 AND ord >= $2 AND ord < $3 AND pos <= $4 AND rejected = 0 \
     ORDER BY ord LIMIT $5";

const ONE: &str = "SELECT event_id, sealed, pos, ord, redacted_by FROM events \
     WHERE event_id = $1 AND room = $2 AND ord IS NOT NULL AND rejected = 0";

const AT: &str = "SELECT event_id, sealed, pos, ord, redacted_by, room FROM events \
     WHERE pos = $1 AND ord IS NOT NULL AND rejected = 0";

const ROOM_OF: &str = "SELECT room FROM events WHERE event_id = $1";

/// The state before a place in the timeline.
const STATE_BEFORE: &str = "SELECT e.event_id, e.sealed FROM state_changes s \
     JOIN events e ON e.event_id = s.event_id \
     WHERE s.room = $1 AND s.ord < $2 AND s.ord = (SELECT MAX(t.ord) FROM state_changes t \
     WHERE t.room = s.room AND t.type = s.type AND t.state_key = s.state_key AND t.ord < $2)";

const STATE_EVENT_BEFORE: &str = "SELECT e.event_id, e.sealed FROM state_changes s \
     JOIN events e ON e.event_id = s.event_id \
     WHERE s.room = $1 AND s.type = $2 AND s.state_key = $3 AND s.ord < $4 \
     ORDER BY s.ord DESC LIMIT 1";

/// What became of the state between two positions: its newest entries.
const STATE_BETWEEN: &str = "SELECT e.event_id, e.sealed FROM state_changes s \
     JOIN events e ON e.event_id = s.event_id \
     WHERE s.room = $1 AND s.pos > $2 AND s.pos <= $3 AND s.ord = (SELECT MAX(t.ord) \
     FROM state_changes t WHERE t.room = s.room AND t.type = s.type \
     AND t.state_key = s.state_key AND t.pos <= $3)";

impl Rooms {
    /// Reads a page of what a user may see.
    pub async fn page(
        &self,
        snapshot: &Snapshot,
        room: &Room,
        history: &History,
        request: &PageRequest<'_>,
    ) -> Result<Page, StoreError> {
        self.page_within(snapshot, room, history, request, MOST_ROWS)
            .await
    }

    /// The same, for which no more than so many events are read.
    pub async fn page_within(
        &self,
        snapshot: &Snapshot,
        room: &Room,
        history: &History,
        request: &PageRequest<'_>,
        most_rows: usize,
    ) -> Result<Page, StoreError> {
        let mut gathering = Gathering::new(history, request);
        let mut rows_read = 0;
        let mut chunk = request.limit.clamp(FIRST_CHUNK, CHUNK);
        while rows_read < most_rows {
            chunk = chunk.min(most_rows - rows_read);
            let part = (gathering.from, request.to, request.direction);
            let rows = self.rows(snapshot, room, part, chunk).await?;
            let exhausted = rows.len() < chunk;
            rows_read += rows.len();
            for event in rows {
                if gathering.take(event) {
                    return Ok(gathering.page());
                }
            }
            if exhausted {
                return Ok(Page {
                    next: None,
                    ..gathering.page()
                });
            }
            chunk = CHUNK;
        }
        Ok(gathering.page())
    }

    /// The newest page of what a user may see, in a snapshot in which the timeline ends at `last`,
    /// and whether nothing relates to its events; `None` where memory does not reach as far back.
    pub fn newest_page(
        &self,
        room: &Room,
        history: &History,
        request: &PageRequest<'_>,
        last: i64,
    ) -> Option<(Page, bool)> {
        let newest = self.newest_lately(room, Pos::new(last))?;
        let mut gathering = Gathering::new(history, request);
        let mut is_full = false;
        let from = gathering.from;
        let wanted = newest.events.iter().rev();
        let wanted = wanted.skip_while(|event| event.ord >= from);
        for event in wanted.take_while(|event| request.to.is_none_or(|to| event.ord >= to)) {
            is_full = gathering.take(event.clone());
            if is_full {
                break;
            }
        }
        let begins = newest.events.first();
        let begins = begins.is_some_and(|event| event.pdu.type_name() == "m.room.create");
        let reaches_back = begins || request.to.is_some_and(|to| newest.after.get() < to);
        if !is_full && !reaches_back {
            return None;
        }
        let mut page = gathering.page();
        if !is_full {
            page.next = None;
        }
        // What relates to an event comes after it.
        let relations = newest.events.iter();
        let mut relations = relations.filter_map(|event| event.pdu.facts().relation);
        let is_told = |id: &EventId| page.events.iter().any(|event| event.pdu.event_id() == id);
        let is_alone = !relations.any(|relation| is_told(&relation.event_id));
        Some((page, is_alone))
    }

    async fn rows(
        &self,
        snapshot: &Snapshot,
        room: &Room,
        (from, to, direction): (i64, Option<i64>, Direction),
        limit: usize,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let (sql, to) = match direction {
            Direction::Forward => (FORWARD, to.unwrap_or(i64::MAX)),
            Direction::Backward => (BACKWARD, to.unwrap_or(i64::MIN)),
        };
        let head = snapshot.head().get();
        let params = [
            room.room.into(),
            from.into(),
            to.into(),
            head.into(),
            (limit as i64).into(),
        ];
        let rows = snapshot.query(sql, &params).await?;
        open_events(snapshot, self.keyring(), room.rules(), &rows).await
    }

    /// The newest events of a timeline up to a position, oldest first, and whether there are
    /// more before them that are newer than `after`.
    pub async fn newest(
        &self,
        reader: &Reader,
        room: &Room,
        after: i64,
        up_to: i64,
        limit: i64,
    ) -> Result<(Vec<StoredEvent>, bool), StoreError> {
        let until = up_to.saturating_add(1);
        let params = [
            room.room.into(),
            until.into(),
            (after + 1).into(),
            up_to.into(),
            (limit + 1).into(),
        ];
        let rows = reader.query(BACKWARD, &params).await?;
        let mut events = open_events(reader, self.keyring(), room.rules(), &rows).await?;
        let more = events.len() as i64 > limit;
        if more {
            events.pop();
        }
        events.reverse();
        Ok((events, more))
    }

    /// One event of a room, whoever may see it.
    pub async fn event(
        &self,
        reader: &Reader,
        room: &Room,
        event_id: &EventId,
    ) -> Result<Option<StoredEvent>, StoreError> {
        let params = [event_id.as_str().into(), room.room.into()];
        let rows = reader.query(ONE, &params).await?;
        Ok(open_events(reader, self.keyring(), room.rules(), &rows)
            .await?
            .pop())
    }

    /// The event that a change of the log made, if it made one, and its room.
    pub async fn event_of(
        &self,
        snapshot: &Snapshot,
        pos: Pos,
    ) -> Result<Option<(Arc<Room>, StoredEvent)>, StoreError> {
        let rows = snapshot.query(AT, &[pos.get().into()]).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let Some(room) = self.room_by_number(snapshot, row.int(5)?).await? else {
            return Ok(None);
        };
        let events = open_events(snapshot, self.keyring(), room.rules(), &rows).await?;
        Ok(events.into_iter().next().map(|event| (room, event)))
    }

    /// The room that an event is of.
    pub async fn room_of(&self, event_id: &EventId) -> Result<OwnedRoomId, RoomsError> {
        let snapshot = self.snapshot().await?;
        let params = [event_id.as_str().into()];
        let row = snapshot.query_opt(ROOM_OF, &params).await?;
        let row = row.ok_or(RoomsRefusal::NoSuchEvent)?;
        let name = self.names().room_name(&snapshot, row.int(0)?).await?;
        Ok(stored_room_id(&name)?)
    }

    /// One event, if the user may see it.
    pub async fn visible_event(
        &self,
        room_id: &RoomId,
        event_id: &EventId,
        user_id: &UserId,
    ) -> Result<StoredEvent, RoomsError> {
        let room = self.room(room_id).await.map_err(hide_room)?;
        let snapshot = self.snapshot().await?;
        let history = self.history(&snapshot, &room, user_id).await?;
        let event = self.event(&snapshot, &room, event_id).await?;
        let visible = event.filter(|event| history.shows(event));
        visible.ok_or_else(|| RoomsRefusal::NoSuchEvent.into())
    }

    /// The whole state before a place in the timeline.
    pub async fn state_before(
        &self,
        reader: &Reader,
        room: &Room,
        ord: i64,
    ) -> Result<Vec<Arc<Pdu>>, StoreError> {
        let rows = reader
            .query(STATE_BEFORE, &[room.room.into(), ord.into()])
            .await?;
        self.open_state(reader, room, &rows).await
    }

    /// One place of the state before a place in the timeline.
    pub async fn state_event_before(
        &self,
        reader: &Reader,
        room: &Room,
        kind: &str,
        state_key: &str,
        ord: i64,
    ) -> Result<Option<Arc<Pdu>>, StoreError> {
        let params = [room.room.into(), kind.into(), state_key.into(), ord.into()];
        let rows = reader.query(STATE_EVENT_BEFORE, &params).await?;
        Ok(self.open_state(reader, room, &rows).await?.pop())
    }

    /// What became of the state after `after`, up to and including `up_to`.
    pub async fn state_between(
        &self,
        reader: &Reader,
        room: &Room,
        after: i64,
        up_to: i64,
    ) -> Result<Vec<Arc<Pdu>>, StoreError> {
        let params = [room.room.into(), after.into(), up_to.into()];
        let rows = reader.query(STATE_BETWEEN, &params).await?;
        self.open_state(reader, room, &rows).await
    }

    async fn open_state(
        &self,
        reader: &Reader,
        room: &Room,
        rows: &[store::Row],
    ) -> Result<Vec<Arc<Pdu>>, StoreError> {
        open_rows(reader, self.keyring(), room.rules(), rows).await
    }

    /// The state of a room that a user may read: the current one, or that of their leaving.
    pub async fn readable_state(
        &self,
        room_id: &RoomId,
        user_id: &UserId,
    ) -> Result<Vec<Arc<Pdu>>, RoomsError> {
        let room = self.room(room_id).await?;
        if room.state.is_joined(user_id) {
            return Ok(room.state.iter().cloned().collect());
        }
        let snapshot = self.snapshot().await?;
        let history = self.history(&snapshot, &room, user_id).await?;
        let before = history.state_before().ok_or_else(not_joined)?;
        Ok(self.state_before(&snapshot, &room, before).await?)
    }

    /// One place of the state that a user may read.
    pub async fn readable_state_event(
        &self,
        room_id: &RoomId,
        user_id: &UserId,
        kind: &str,
        state_key: &str,
    ) -> Result<Arc<Pdu>, RoomsError> {
        use model::room_state::StateView;

        let room = self.room(room_id).await?;
        let found = if room.state.is_joined(user_id) {
            room.state.get(kind, state_key).cloned()
        } else {
            let snapshot = self.snapshot().await?;
            let history = self.history(&snapshot, &room, user_id).await?;
            let before = history.state_before().ok_or_else(not_joined)?;
            self.state_event_before(&snapshot, &room, kind, state_key, before)
                .await?
        };
        found.ok_or_else(|| RoomsRefusal::NoSuchEvent.into())
    }
}

impl<'a> Gathering<'a> {
    fn new(history: &'a History, request: &'a PageRequest<'a>) -> Self {
        let from = match request.direction {
            Direction::Forward => request.from,
            Direction::Backward => request.from.min(history.sees_before()),
        };
        Self {
            history,
            request,
            events: Vec::new(),
            from,
            has_seen: false,
        }
    }

    /// Takes the next event of the timeline, if it is to be shown; tells whether the page is full.
    fn take(&mut self, event: StoredEvent) -> bool {
        let is_shown = self.history.shows(&event);
        if self.request.unbroken && self.has_seen && !is_shown {
            return true;
        }
        self.has_seen |= is_shown;
        self.from = match self.request.direction {
            Direction::Forward => event.ord + 1,
            Direction::Backward => event.ord,
        };
        let pdu = &event.pdu;
        let is_ignored = pdu.state_key().is_none() && self.request.ignored.contains(pdu.sender());
        if !is_shown || is_ignored || !self.request.filter.passes(pdu) {
            return false;
        }
        self.events.push(event);
        self.events.len() >= self.request.limit.max(1)
    }

    /// What was gathered, as if there was more behind it.
    fn page(self) -> Page {
        Page {
            events: self.events,
            next: Some(self.from),
        }
    }
}

fn not_joined() -> RoomsRefusal {
    RoomsRefusal::Forbidden("you are not in this room".to_owned())
}

/// Whether a room exists is not told to those who may not see it.
fn hide_room(error: RoomsError) -> RoomsError {
    match error {
        RoomsError::Refused(RoomsRefusal::NoSuchRoom(_)) => RoomsRefusal::NoSuchEvent.into(),
        other => other,
    }
}

//! What was said in all rooms, in the order of the log: for what is kept of it elsewhere, such as
//! the index by which it is searched.

use std::collections::BTreeMap;

use ruma::{OwnedRoomId, room_version_rules::RoomVersionRules};
use store::{Pos, Reader, Row, StoreError};

use crate::{
    Room, Rooms, StoredEvent, about_many::AboutMany, room::stored_rules, rooms::stored_room_id,
    stored::open_events,
};

/// What people read as text, and what takes it away.
const SAID: &str = "SELECT e.event_id, e.sealed, e.pos, e.ord, e.redacted_by, e.room, r.version, \
     t.pos, t.ord FROM events e JOIN rooms r ON r.room = e.room \
     LEFT JOIN events t ON t.event_id = e.redacts AND t.room = e.room \
     WHERE e.pos > $1 AND e.pos <= $2 AND e.ord IS NOT NULL AND e.rejected = 0 AND e.type IN \
     ('m.room.message', 'm.room.name', 'm.room.topic', 'm.room.redaction') \
     ORDER BY e.pos LIMIT $3";

static AT_PLACES: AboutMany = AboutMany::of_places(
    "SELECT e.event_id, e.sealed, e.pos, e.ord, e.redacted_by \
     FROM wanted w CROSS JOIN events e WHERE e.room = $1 AND e.ord = w.ord AND e.rejected = 0",
    1,
);

/// Something that was said, or taken back.
pub struct Said {
    /// The room's integer.
    pub room: i64,
    /// The event as it is now: without its content, if that was redacted since.
    pub event: StoredEvent,
    /// The position and the place of the event whose content it took away, if it did.
    pub redacts: Option<(Pos, i64)>,
}

impl Rooms {
    /// The messages, names, topics and redactions of all rooms after `after`, up to and including
    /// `up_to`, in the order of the log, at most `limit`; and up to where all of them were read.
    ///
    /// What is damaged is left out, and logged: it holds up no other.
    pub async fn said(
        &self,
        reader: &Reader,
        after: Pos,
        up_to: Pos,
        limit: i64,
    ) -> Result<(Vec<Said>, Pos), StoreError> {
        let params = [after.get().into(), up_to.get().into(), limit.into()];
        let rows = reader.query(SAID, &params).await?;
        let end = match rows.last() {
            Some(last) if rows.len() as i64 >= limit => Pos::new(last.int(2)?),
            _ => up_to,
        };
        let mut by_version: BTreeMap<String, Vec<Row>> = BTreeMap::new();
        for row in rows {
            let version = row.text(6)?.to_owned();
            by_version.entry(version).or_default().push(row);
        }
        let mut said = Vec::new();
        for (version, rows) in by_version {
            let rules = stored_rules(&version)?;
            for (row, event) in self.open_what_can_be(reader, &rules, &rows).await? {
                said.push(Said {
                    room: row.int(5)?,
                    event,
                    redacts: redacted_place(row)?,
                });
            }
        }
        said.sort_unstable_by_key(|said| said.event.pos);
        Ok((said, end))
    }

    /// Opens all at once or, if one of them is damaged, one by one.
    async fn open_what_can_be<'r>(
        &self,
        reader: &Reader,
        rules: &RoomVersionRules,
        rows: &'r [Row],
    ) -> Result<Vec<(&'r Row, StoredEvent)>, StoreError> {
        match open_events(reader, self.keyring(), rules, rows).await {
            Ok(events) => return Ok(rows.iter().zip(events).collect()),
            Err(StoreError::Damaged(_)) => {}
            Err(error) => return Err(error),
        }
        let mut opened = Vec::new();
        for row in rows {
            let one = std::slice::from_ref(row);
            match open_events(reader, self.keyring(), rules, one).await {
                Ok(events) => opened.extend(events.into_iter().map(|event| (row, event))),
                Err(StoreError::Damaged(what)) => {
                    tracing::error!(what, pos = row.int(2)?, "an event cannot be opened");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(opened)
    }

    /// Those events of a room that stand at these places, whoever may see them, in no order.
    pub async fn events_at(
        &self,
        reader: &Reader,
        room: &Room,
        places: &[i64],
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let own = [room.room.into()];
        let rows = AT_PLACES.query_places(reader, &own, places).await?;
        open_events(reader, self.keyring(), room.rules(), &rows).await
    }

    /// The id of a room, by its integer.
    pub async fn room_id(&self, reader: &Reader, room: i64) -> Result<OwnedRoomId, StoreError> {
        stored_room_id(&self.names().room_name(reader, room).await?)
    }
}

fn redacted_place(row: &Row) -> Result<Option<(Pos, i64)>, StoreError> {
    let (pos, ord) = (row.opt_int(7)?, row.opt_int(8)?);
    Ok(pos.zip(ord).map(|(pos, ord)| (Pos::new(pos), ord)))
}

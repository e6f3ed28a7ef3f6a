//! The events that relate to one, page by page.

use ruma::EventId;
use store::{Reader, StoreError};

use crate::{Direction, History, Page, Room, Rooms, stored::open_events};

/// How many steps away from an event others are that are found when the reader asks for more than
/// what relates to it itself.
pub const RELATION_DEPTH: u8 = 3;

/// Which events that relate to one are read. A boundary stands before the event whose `ord` it
/// names.
#[derive(Clone, Copy)]
pub struct RelationsRequest<'a> {
    /// The event that they relate to.
    pub event_id: &'a EventId,
    /// How they do, if only some are wanted.
    pub rel_type: Option<&'a str>,
    /// Their type, if only some are wanted.
    pub event_type: Option<&'a str>,
    /// How many steps away they may be.
    pub depth: u8,
    /// The boundary where reading begins.
    pub from: i64,
    /// The boundary where reading stops early.
    pub to: Option<i64>,
    /// Which way.
    pub direction: Direction,
    /// How many events, at most.
    pub limit: usize,
}

// The places are sorted before anything that is sealed is read.
const FORWARD: &str = "WITH RECURSIVE related (event_id, ord, depth) AS (\
     SELECT CAST($2 AS TEXT), CAST(NULL AS BIGINT), CAST(0 AS BIGINT) UNION \
     SELECT e.event_id, e.ord, r.depth + 1 FROM related r \
     JOIN events e ON e.room = $1 AND e.relates_to = r.event_id WHERE r.depth < $3 \
     AND (CAST($4 AS TEXT) IS NULL OR e.relation_type = $4) \
     AND (CAST($5 AS TEXT) IS NULL OR e.type = $5)) \
     SELECT e.event_id, e.sealed, e.pos, e.ord, e.redacted_by FROM (SELECT DISTINCT event_id, ord \
     FROM related WHERE ord >= $6 AND ord < $7 ORDER BY ord LIMIT $8) page \
     JOIN events e ON e.event_id = page.event_id ORDER BY e.ord";

const BACKWARD: &str = "WITH RECURSIVE related (event_id, ord, depth) AS (\
     SELECT CAST($2 AS TEXT), CAST(NULL AS BIGINT), CAST(0 AS BIGINT) UNION \
     SELECT e.event_id, e.ord, r.depth + 1 FROM related r \
     JOIN events e ON e.room = $1 AND e.relates_to = r.event_id WHERE r.depth < $3 \
     AND (CAST($4 AS TEXT) IS NULL OR e.relation_type = $4) \
     AND (CAST($5 AS TEXT) IS NULL OR e.type = $5)) \
     SELECT e.event_id, e.sealed, e.pos, e.ord, e.redacted_by FROM (SELECT DISTINCT event_id, ord \
     FROM related WHERE ord >= $6 AND ord < $7 ORDER BY ord DESC LIMIT $8) page \
     JOIN events e ON e.event_id = page.event_id ORDER BY e.ord DESC";

impl Rooms {
    /// Reads a page of the events that relate to one, as far as the user may see them.
    pub async fn relations(
        &self,
        reader: &Reader,
        room: &Room,
        history: &History,
        request: &RelationsRequest<'_>,
    ) -> Result<Page, StoreError> {
        let forward = request.direction == Direction::Forward;
        let mut sights = history.sights();
        if forward {
            sights.reverse();
        }
        let (begin, end) = match forward {
            true => (request.from, request.to.unwrap_or(i64::MAX)),
            false => (request.to.unwrap_or(i64::MIN), request.from),
        };
        let mut events = Vec::new();
        for sight in sights {
            let part = sight.start.max(begin)..sight.end.min(end);
            // One more tells whether there are more.
            let wanted = (request.limit + 1).saturating_sub(events.len());
            if wanted == 0 {
                break;
            }
            if part.is_empty() {
                continue;
            }
            let params = [
                room.room.into(),
                request.event_id.as_str().into(),
                i64::from(request.depth).into(),
                request.rel_type.into(),
                request.event_type.into(),
                part.start.into(),
                part.end.into(),
                (wanted as i64).into(),
            ];
            let sql = if forward { FORWARD } else { BACKWARD };
            let rows = reader.query(sql, &params).await?;
            events.extend(open_events(reader, self.keyring(), room.rules(), &rows).await?);
        }
        let more = events.len() > request.limit;
        events.truncate(request.limit);
        let last = events.last().filter(|_| more);
        let next = last.map(|last| if forward { last.ord + 1 } else { last.ord });
        Ok(Page { events, next })
    }
}

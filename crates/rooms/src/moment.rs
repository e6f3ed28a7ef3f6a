//! The event next to a moment.

use std::collections::BTreeSet;

use model::{filter::EventFilter, time::Timestamp};
use store::{Snapshot, StoreError};

use crate::{Direction, History, PageRequest, Room, Rooms, StoredEvent};

/// How often reading goes on behind what the reader may not see.
const MOST_TRIES: usize = 64;

/// The place before the first event that is not older than a moment: each step halves the room's
/// timeline, which is taken to be in the order of time.
const PLACE_OF_MOMENT: &str = "WITH RECURSIVE part (low, high) AS (\
     SELECT (SELECT e.ord FROM events e WHERE e.room = $1 AND e.ord IS NOT NULL \
     ORDER BY e.ord LIMIT 1), (SELECT e.ord + 1 FROM events e WHERE e.room = $1 \
     AND e.ord IS NOT NULL ORDER BY e.ord DESC LIMIT 1) \
     UNION ALL SELECT \
     CASE WHEN (SELECT e.ts FROM events e WHERE e.room = $1 \
     AND e.ord >= p.low + (p.high - p.low) / 2 ORDER BY e.ord LIMIT 1) < $2 \
     THEN p.low + (p.high - p.low) / 2 + 1 ELSE p.low END, \
     CASE WHEN (SELECT e.ts FROM events e WHERE e.room = $1 \
     AND e.ord >= p.low + (p.high - p.low) / 2 ORDER BY e.ord LIMIT 1) < $2 \
     THEN p.high ELSE p.low + (p.high - p.low) / 2 END \
     FROM part p WHERE p.low < p.high) \
     SELECT low FROM part WHERE low >= high LIMIT 1";

impl Rooms {
    /// The event closest to a moment, at it or in one direction from it, that the user may see.
    ///
    /// Events have the time of the server that sent them: one whose clock was wrong may be missed.
    pub async fn event_at(
        &self,
        snapshot: &Snapshot,
        room: &Room,
        history: &History,
        moment: Timestamp,
        direction: Direction,
    ) -> Result<Option<StoredEvent>, StoreError> {
        // Backwards: up to and including the moment.
        let millis = match direction {
            Direction::Forward => moment.as_millis(),
            Direction::Backward => moment.as_millis().saturating_add(1),
        };
        let params = [room.room.into(), millis.into()];
        let row = snapshot.query_opt(PLACE_OF_MOMENT, &params).await?;
        let Some(mut from) = row.map(|row| row.int(0)).transpose()? else {
            return Ok(None);
        };
        for _ in 0..MOST_TRIES {
            let place = match direction {
                Direction::Forward => history.next_sight(from),
                Direction::Backward => history.last_sight(from).map(|last| last + 1),
            };
            let Some(place) = place else {
                return Ok(None);
            };
            let request = PageRequest {
                from: place,
                to: None,
                direction,
                limit: 1,
                filter: &EventFilter::default(),
                ignored: &BTreeSet::new(),
                unbroken: false,
            };
            let mut page = self.page(snapshot, room, history, &request).await?;
            if let Some(event) = page.events.pop() {
                return Ok(Some(event));
            }
            let Some(next) = page.next else {
                return Ok(None);
            };
            from = next;
        }
        Ok(None)
    }
}

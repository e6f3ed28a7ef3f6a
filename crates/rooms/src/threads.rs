//! The threads of a room, by what was said last in each.

use std::collections::{HashMap, HashSet};

use ruma::OwnedEventId;
use store::{Reader, StoreError};

use crate::{
    History, Page, Room, Rooms, StoredEvent,
    about_many::AboutMany,
    stored::{event_id_at, open_events},
};

/// How many events in threads are looked at at once, and how often, at most, for one page: a
/// thread of many thousands must not make one request read all of it.
const CHUNK: i64 = 1_024;
const MOST_CHUNKS: usize = 16;

/// Which threads are read.
#[derive(Clone, Copy)]
pub struct ThreadsRequest {
    /// The boundary where reading begins, from newer to older threads. It stands before the event
    /// whose `ord` it names.
    pub from: i64,
    /// Whether only those in which the reader said something.
    pub participated: bool,
    /// How many, at most.
    pub limit: usize,
}

const SAID: &str = "SELECT relates_to, ord FROM events WHERE room = $1 \
     AND relation_type = 'm.thread' AND ord >= $2 AND ord < $3 \
     AND relates_to IS NOT NULL ORDER BY ord DESC LIMIT $4";

/// Room, part of the timeline, where the page begins, reader. The plus keeps SQLite from the index
/// by place where the one by sender leads there at once.
static ROOTS: AboutMany = AboutMany::new(
    "SELECT p.event_id, p.sealed, p.pos, p.ord, p.redacted_by, \
     EXISTS (SELECT 1 FROM events e WHERE e.room = $1 AND e.relates_to = p.event_id \
     AND e.relation_type = 'm.thread' AND e.ord >= $2 AND e.ord < $3 AND e.ord >= $4), \
     p.sender = $5 OR EXISTS (SELECT 1 FROM events e WHERE e.room = $1 \
     AND e.relates_to = p.event_id AND e.relation_type = 'm.thread' AND e.sender = $5 \
     AND +e.ord >= $2 AND +e.ord < $3) \
     FROM wanted w CROSS JOIN events p WHERE p.event_id = w.event_id \
     AND p.room = $1 AND p.ord IS NOT NULL AND p.rejected = 0 AND p.relation_type IS NULL",
    5,
);

impl Rooms {
    /// Reads a page of the roots of a room's threads, the one in which something was said last
    /// before the others, as far as the user may see that.
    ///
    /// The page ends early when that is told by very many events.
    pub async fn threads(
        &self,
        reader: &Reader,
        room: &Room,
        (user, history): (i64, &History),
        request: &ThreadsRequest,
    ) -> Result<Page, StoreError> {
        let mut listing = Listing {
            rooms: self,
            reader,
            room,
            user,
            history,
            request,
            met: HashSet::new(),
            found: Vec::new(),
        };
        let mut chunks = 0;
        for sight in history.sights() {
            let mut end = sight.end.min(request.from);
            while sight.start < end {
                if chunks == MOST_CHUNKS {
                    return Ok(listing.page(Some(end)));
                }
                chunks += 1;
                let params = [
                    room.room.into(),
                    sight.start.into(),
                    end.into(),
                    CHUNK.into(),
                ];
                let rows = reader.query(SAID, &params).await?;
                let mut said = Vec::with_capacity(rows.len());
                for row in &rows {
                    said.push((event_id_at(row, 0)?, row.int(1)?));
                }
                end = match said.last() {
                    Some((_, last)) if rows.len() as i64 == CHUNK => *last,
                    _ => sight.start,
                };
                listing.take(said).await?;
                if listing.found.len() > request.limit {
                    return Ok(listing.page(None));
                }
            }
        }
        Ok(listing.page(None))
    }
}

/// A page that grows.
struct Listing<'a> {
    rooms: &'a Rooms,
    reader: &'a Reader,
    room: &'a Room,
    user: i64,
    history: &'a History,
    request: &'a ThreadsRequest,
    /// Threads whose last event was passed.
    met: HashSet<OwnedEventId>,
    /// Roots, and where something was said last.
    found: Vec<(StoredEvent, i64)>,
}

impl Listing<'_> {
    /// Takes the threads that these events, newest first, are the last ones of.
    async fn take(&mut self, said: Vec<(OwnedEventId, i64)>) -> Result<(), StoreError> {
        let mut last_said = said;
        last_said.retain(|(root, _)| self.met.insert(root.clone()));
        if last_said.is_empty() {
            return Ok(());
        }
        let roots: Vec<_> = last_said.iter().map(|(root, _)| root.clone()).collect();
        let mut roots = self.roots(&roots).await?;
        for (root, last) in last_said {
            let root = roots.remove(&root);
            let root = root.filter(|root| !root.is_earlier_page);
            let root = root.filter(|root| root.participated || !self.request.participated);
            let root = root.filter(|root| self.history.shows(&root.event));
            self.found.extend(root.map(|root| (root.event, last)));
        }
        Ok(())
    }

    async fn roots(
        &self,
        wanted: &[OwnedEventId],
    ) -> Result<HashMap<OwnedEventId, Root>, StoreError> {
        let mut roots: HashMap<OwnedEventId, Root> = HashMap::new();
        for sight in self.history.sights() {
            let own = [
                self.room.room.into(),
                sight.start.into(),
                sight.end.into(),
                self.request.from.into(),
                self.user.into(),
            ];
            let rows = ROOTS.query(self.reader, &own, wanted).await?;
            let (keyring, rules) = (self.rooms.keyring(), self.room.rules());
            let events = open_events(self.reader, keyring, rules, &rows).await?;
            for (row, event) in rows.iter().zip(events) {
                let id = event.pdu.event_id().to_owned();
                let root = roots.entry(id).or_insert(Root {
                    event,
                    is_earlier_page: false,
                    participated: false,
                });
                root.is_earlier_page |= row.flag(5)?;
                root.participated |= row.flag(6)?;
            }
        }
        Ok(roots)
    }

    /// The page; what comes after it begins where reading stopped early, or behind its last
    /// thread when more were found.
    fn page(mut self, stopped: Option<i64>) -> Page {
        let more = self.found.len() > self.request.limit;
        self.found.truncate(self.request.limit);
        let last = self.found.last().map(|(_, last)| *last);
        let next = if more { last } else { stopped };
        let events = self.found.into_iter().map(|(root, _)| root).collect();
        Page { events, next }
    }
}

struct Root {
    event: StoredEvent,
    /// Whether something was said in its thread behind where this page begins.
    is_earlier_page: bool,
    participated: bool,
}

//! What is told of an event together with it: its last edit, its thread, who refers to it.
//!
//! A page of events costs one query when nothing relates to them, and a few when something does,
//! however long it is. Only what the reader may see is counted.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
};

use model::event::Pdu;
use ruma::{EventId, OwnedEventId};
use serde::Deserialize;
use serde_json::value::RawValue;
use store::{Reader, Row, StoreError};

use crate::{
    History, Room, Rooms, StoredEvent,
    about_many::AboutMany,
    stored::{event_id_at, open_events},
};

/// The most events that are named as referring to one.
const MOST_REFERENCES: i64 = 500;

/// How many edits of one event are looked at for one that is valid, from the last one back.
const MOST_EDITS: i64 = 8;

/// The room. To most events nothing relates, and only of the others more is asked.
static ANYTHING: AboutMany = AboutMany::new(
    "SELECT w.event_id FROM wanted w WHERE EXISTS (SELECT 1 FROM events e \
     WHERE e.room = $1 AND e.relates_to = w.event_id)",
    1,
);

/// Room, part of the timeline, reader. The plus keeps SQLite from the index by place where the one
/// by sender leads there at once.
static RELATED: AboutMany = AboutMany::new(
    "SELECT p.event_id, \
     p.redacted_by IS NULL AND (p.relation_type IS NULL OR p.relation_type <> 'm.replace') \
     AND EXISTS (SELECT 1 FROM events e WHERE e.room = $1 AND e.relates_to = p.event_id \
     AND e.relation_type = 'm.replace' AND e.sender = p.sender AND e.type = p.type \
     AND +e.ord >= $2 AND +e.ord < $3), \
     (SELECT COUNT(*) FROM events e WHERE e.room = $1 AND e.relates_to = p.event_id \
     AND e.relation_type = 'm.thread' AND e.ord >= $2 AND e.ord < $3 \
     AND p.relation_type IS NULL), \
     (SELECT e.event_id FROM events e WHERE e.room = $1 AND e.relates_to = p.event_id \
     AND e.relation_type = 'm.thread' AND e.ord >= $2 AND e.ord < $3 \
     AND p.relation_type IS NULL ORDER BY e.ord DESC LIMIT 1), \
     p.sender = $4 OR EXISTS (SELECT 1 FROM events e WHERE e.room = $1 \
     AND e.relates_to = p.event_id AND e.relation_type = 'm.thread' AND e.sender = $4 \
     AND +e.ord >= $2 AND +e.ord < $3), \
     EXISTS (SELECT 1 FROM events e WHERE e.room = $1 AND e.relates_to = p.event_id \
     AND e.relation_type = 'm.reference' AND e.ord >= $2 AND e.ord < $3) \
     FROM wanted w CROSS JOIN events p \
     WHERE p.event_id = w.event_id AND p.room = $1 AND p.state_key IS NULL",
    4,
);

/// Room, part of the timeline, how many moments to pass over. Of edits of one moment, all.
static EDITS: AboutMany = AboutMany::new(
    "SELECT e.event_id, e.sealed, e.pos, e.ord, e.redacted_by, e.relates_to \
     FROM wanted w CROSS JOIN events p CROSS JOIN events e \
     WHERE p.event_id = w.event_id AND e.room = $1 AND e.relates_to = p.event_id \
     AND e.relation_type = 'm.replace' AND e.sender = p.sender \
     AND p.room = $1 AND e.type = p.type AND +e.ord >= $2 AND +e.ord < $3 \
     AND e.ts = (SELECT x.ts FROM events x WHERE x.room = $1 AND x.relates_to = p.event_id \
     AND x.relation_type = 'm.replace' AND x.sender = p.sender AND x.type = p.type \
     AND +x.ord >= $2 AND +x.ord < $3 ORDER BY x.ts DESC LIMIT 1 OFFSET $4)",
    4,
);

/// Room, part of the timeline, how many of each.
static REFERENCES: AboutMany = AboutMany::new(
    "SELECT r.relates_to, r.event_id FROM (SELECT e.relates_to, e.event_id, e.ord, \
     ROW_NUMBER() OVER (PARTITION BY e.relates_to ORDER BY e.ord) AS place \
     FROM wanted w CROSS JOIN events e WHERE e.room = $1 AND e.relates_to = w.event_id \
     AND e.relation_type = 'm.reference' \
     AND e.ord >= $2 AND e.ord < $3) r WHERE r.place <= $4 ORDER BY r.ord",
    4,
);

/// The room.
pub(crate) static EVENTS: AboutMany = AboutMany::new(
    "SELECT e.event_id, e.sealed, e.pos, e.ord, e.redacted_by \
     FROM wanted w CROSS JOIN events e \
     WHERE e.event_id = w.event_id AND e.room = $1 AND e.ord IS NOT NULL AND e.rejected = 0",
    1,
);

/// What is told together with events, by their ids.
#[derive(Default)]
pub struct Bundles(HashMap<OwnedEventId, Bundle>);

/// What is told together with one event.
#[derive(Default)]
pub struct Bundle {
    /// Its last edit.
    pub edit: Option<StoredEvent>,
    /// The thread that begins at it.
    pub thread: Option<Thread>,
    /// The events that refer to it, oldest first.
    pub references: Vec<OwnedEventId>,
}

/// What is told of a thread at its root.
pub struct Thread {
    /// What was said last; what is told together with that stands in the same [`Bundles`].
    pub latest: StoredEvent,
    /// How much was said.
    pub count: i64,
    /// Whether the reader said something in it, or its root.
    pub participated: bool,
}

impl Bundles {
    /// What is told together with an event.
    pub fn of(&self, event_id: &EventId) -> Option<&Bundle> {
        self.0.get(event_id)
    }
}

/// What relates to one event, before anything is opened.
#[derive(Default)]
struct Related {
    is_edited: bool,
    count: i64,
    latest: Option<OwnedEventId>,
    participated: bool,
    is_referred_to: bool,
}

impl Rooms {
    /// Reads what is told together with events, as the user may see it.
    pub async fn bundles(
        &self,
        reader: &Reader,
        room: &Room,
        (user, history): (i64, &History),
        events: &[&StoredEvent],
    ) -> Result<Bundles, StoreError> {
        let gathering = Gathering {
            rooms: self,
            reader,
            room,
            user,
            sights: history.sights(),
        };
        // Nothing is behind the last event, so nothing relates to it.
        let wanted = events
            .iter()
            .filter(|event| event.pdu.state_key().is_none() && event.ord < room.last_pos().get());
        let wanted: Vec<_> = wanted
            .map(|event| event.pdu.event_id().to_owned())
            .collect();
        let mut bundles = Bundles::default();
        let latest = gathering.gather(wanted, &mut bundles).await?;
        // A thread is no part of another, so this ends here.
        gathering.gather(latest, &mut bundles).await?;
        Ok(bundles)
    }
}

struct Gathering<'a> {
    rooms: &'a Rooms,
    reader: &'a Reader,
    room: &'a Room,
    user: i64,
    /// Newest first.
    sights: Vec<Range<i64>>,
}

impl Gathering<'_> {
    /// Gathers what relates to events; gives the last ones of their threads.
    async fn gather(
        &self,
        wanted: Vec<OwnedEventId>,
        bundles: &mut Bundles,
    ) -> Result<Vec<OwnedEventId>, StoreError> {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let room = [self.room.room.into()];
        let rows = ANYTHING.query(self.reader, &room, &wanted).await?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let wanted = rows.iter().map(|row| event_id_at(row, 0));
        let wanted: Vec<_> = wanted.collect::<Result<_, _>>()?;
        let related = self.related(&wanted).await?;
        self.edits(&related, bundles).await?;
        self.references(&related, bundles).await?;
        self.threads(&related, bundles).await
    }

    async fn related(
        &self,
        wanted: &[OwnedEventId],
    ) -> Result<BTreeMap<OwnedEventId, Related>, StoreError> {
        let mut related: BTreeMap<OwnedEventId, Related> = BTreeMap::new();
        for sight in &self.sights {
            for row in self.ask(&RELATED, sight, self.user, wanted).await? {
                let latest = row.opt_text(3)?.is_some().then(|| event_id_at(&row, 3));
                let (is_edited, count) = (row.flag(1)?, row.int(2)?);
                let (participated, is_referred_to) = (row.flag(4)?, row.flag(5)?);
                if !is_edited && count == 0 && !is_referred_to {
                    continue;
                }
                let of_event = related.entry(event_id_at(&row, 0)?).or_default();
                of_event.is_edited |= is_edited;
                of_event.count += count;
                of_event.participated |= participated;
                of_event.is_referred_to |= is_referred_to;
                if of_event.latest.is_none() {
                    of_event.latest = latest.transpose()?;
                }
            }
        }
        Ok(related)
    }

    async fn edits(
        &self,
        related: &BTreeMap<OwnedEventId, Related>,
        bundles: &mut Bundles,
    ) -> Result<(), StoreError> {
        let edited = related.iter().filter(|(_, related)| related.is_edited);
        let mut edited: Vec<_> = edited.map(|(event, _)| event.clone()).collect();
        for passed_over in 0..MOST_EDITS {
            if edited.is_empty() {
                break;
            }
            for sight in &self.sights {
                let rows = self.ask(&EDITS, sight, passed_over, &edited).await?;
                for (row, edit) in rows.iter().zip(self.open(&rows).await?) {
                    if !is_edit(&edit.pdu) {
                        continue;
                    }
                    let original = bundles.0.entry(event_id_at(row, 5)?).or_default();
                    let newest = original.edit.as_ref();
                    if newest.is_none_or(|newest| is_newer(&edit, newest)) {
                        original.edit = Some(edit);
                    }
                }
            }
            let resolved = |event: &OwnedEventId| {
                let bundle = bundles.of(event);
                bundle.is_some_and(|bundle| bundle.edit.is_some())
            };
            edited.retain(|event| !resolved(event));
        }
        Ok(())
    }

    async fn references(
        &self,
        related: &BTreeMap<OwnedEventId, Related>,
        bundles: &mut Bundles,
    ) -> Result<(), StoreError> {
        let referred = related.iter().filter(|(_, related)| related.is_referred_to);
        let referred: Vec<_> = referred.map(|(event, _)| event.clone()).collect();
        if referred.is_empty() {
            return Ok(());
        }
        for sight in self.sights.iter().rev() {
            let most = MOST_REFERENCES;
            for row in self.ask(&REFERENCES, sight, most, &referred).await? {
                let bundle = bundles.0.entry(event_id_at(&row, 0)?).or_default();
                if (bundle.references.len() as i64) < most {
                    bundle.references.push(event_id_at(&row, 1)?);
                }
            }
        }
        Ok(())
    }

    async fn threads(
        &self,
        related: &BTreeMap<OwnedEventId, Related>,
        bundles: &mut Bundles,
    ) -> Result<Vec<OwnedEventId>, StoreError> {
        let latest = related
            .values()
            .filter_map(|related| related.latest.clone());
        let latest: Vec<_> = latest.collect();
        if latest.is_empty() {
            return Ok(latest);
        }
        let opened = self.rooms.events(self.reader, self.room, &latest).await?;
        for (root, related) in related {
            let opened = related.latest.as_ref().and_then(|id| opened.get(id));
            let Some(latest) = opened.cloned() else {
                continue;
            };
            let thread = Thread {
                latest,
                count: related.count,
                participated: related.participated,
            };
            bundles.0.entry(root.clone()).or_default().thread = Some(thread);
        }
        Ok(latest)
    }

    async fn ask(
        &self,
        statement: &'static AboutMany,
        sight: &Range<i64>,
        last: i64,
        events: &[OwnedEventId],
    ) -> Result<Vec<Row>, StoreError> {
        let own = [
            self.room.room.into(),
            sight.start.into(),
            sight.end.into(),
            last.into(),
        ];
        statement.query(self.reader, &own, events).await
    }

    async fn open(&self, rows: &[Row]) -> Result<Vec<StoredEvent>, StoreError> {
        open_events(self.reader, self.rooms.keyring(), self.room.rules(), rows).await
    }
}

impl Rooms {
    /// Events of a room by their ids, whoever may see them.
    pub async fn events(
        &self,
        reader: &Reader,
        room: &Room,
        wanted: &[OwnedEventId],
    ) -> Result<HashMap<OwnedEventId, StoredEvent>, StoreError> {
        let rows = EVENTS.query(reader, &[room.room.into()], wanted).await?;
        let events = open_events(reader, self.keyring(), room.rules(), &rows).await?;
        let by_id = |event: StoredEvent| (event.pdu.event_id().to_owned(), event);
        Ok(events.into_iter().map(by_id).collect())
    }
}

/// Whether an event has what takes the place of the original's content; of an encrypted one, only
/// those who can read it know.
fn is_edit(pdu: &Pdu) -> bool {
    #[derive(Deserialize)]
    struct Content<'a> {
        #[serde(borrow, rename = "m.new_content")]
        new_content: Option<&'a RawValue>,
    }
    let content: Result<Content<'_>, _> = serde_json::from_str(pdu.content().get());
    let new_content = content.ok().and_then(|content| content.new_content);
    let replaces = new_content.is_some_and(|content| content.get().starts_with('{'));
    replaces || pdu.type_name() == "m.room.encrypted"
}

/// The later of two edits, as the specification orders them.
fn is_newer(edit: &StoredEvent, than: &StoredEvent) -> bool {
    let place = |event: &StoredEvent| {
        (
            event.pdu.origin_server_ts(),
            event.pdu.event_id().to_owned(),
        )
    };
    place(edit) > place(than)
}

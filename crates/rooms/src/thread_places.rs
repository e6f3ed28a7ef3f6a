//! Which thread an event is in: the one that it relates to, or that what it relates to is in.

use std::collections::HashMap;

use ruma::{EventId, OwnedEventId};
use store::{Reader, StoreError};

use crate::{
    Room, Rooms, StoredEvent,
    about_many::AboutMany,
    stored::{event_id_at, open_events},
};

/// How many steps away from a thread its events are, at most.
const MOST_STEPS: usize = 3;

const THREAD: &str = "m.thread";

/// The room.
static RELATIONS: AboutMany = AboutMany::new(
    "SELECT p.event_id, p.relation_type, p.relates_to, p.redacted_by \
     FROM wanted w CROSS JOIN events p \
     WHERE p.event_id = w.event_id AND p.room = $1 AND p.rejected = 0",
    1,
);

const IN_THREADS: &str = "SELECT event_id, sealed, pos, ord, redacted_by FROM events \
     WHERE room = $1 AND relation_type = 'm.thread' AND ord > $2 AND ord <= $3 \
     AND relates_to IS NOT NULL ORDER BY ord DESC LIMIT $4";

/// An event, and what is known of the way from it to a thread.
struct Step {
    from: OwnedEventId,
    to: OwnedEventId,
}

impl Rooms {
    /// The roots of the threads that events are in; of those that are in none, nothing.
    pub async fn threads_of(
        &self,
        reader: &Reader,
        room: &Room,
        events: impl Iterator<Item = &StoredEvent>,
    ) -> Result<HashMap<OwnedEventId, OwnedEventId>, StoreError> {
        let (mut threads, mut steps) = (HashMap::new(), Vec::new());
        for event in events {
            let Some(relation) = event.pdu.facts().relation else {
                continue;
            };
            let from = event.pdu.event_id().to_owned();
            match relation.rel_type == THREAD {
                true => drop(threads.insert(from, relation.event_id)),
                false => steps.push(Step {
                    from,
                    to: relation.event_id,
                }),
            }
        }
        self.follow(reader, room, steps, &mut threads).await?;
        Ok(threads)
    }

    /// Follows relations for a few steps, each with one query for all.
    async fn follow(
        &self,
        reader: &Reader,
        room: &Room,
        mut steps: Vec<Step>,
        threads: &mut HashMap<OwnedEventId, OwnedEventId>,
    ) -> Result<(), StoreError> {
        for _ in 0..MOST_STEPS {
            if steps.is_empty() {
                break;
            }
            let mut wanted: Vec<_> = steps.iter().map(|step| step.to.clone()).collect();
            wanted.sort_unstable();
            wanted.dedup();
            let rows = RELATIONS
                .query(reader, &[room.room.into()], &wanted)
                .await?;
            let mut relations = HashMap::new();
            for row in &rows {
                if let Some(rel_type) = row.opt_text(1)? {
                    let related = (rel_type == THREAD, event_id_at(row, 2)?);
                    relations.insert(event_id_at(row, 0)?, related);
                }
            }
            let taken = std::mem::take(&mut steps);
            for Step { from, to } in taken {
                match relations.get(&to) {
                    Some((true, root)) => drop(threads.insert(from, root.clone())),
                    Some((false, next)) => steps.push(Step {
                        from,
                        to: next.clone(),
                    }),
                    None => {}
                }
            }
        }
        Ok(())
    }

    /// Whether a receipt for a thread may name an event: one of the thread, its root, or what
    /// relates to that. An event that was redacted has lost its place, and may be named for any.
    pub(crate) async fn is_in_thread(
        &self,
        reader: &Reader,
        room: &Room,
        event_id: &EventId,
        thread: &str,
    ) -> Result<bool, StoreError> {
        let mut event_id = event_id.to_owned();
        for _ in 0..=MOST_STEPS {
            if event_id == thread {
                return Ok(true);
            }
            let wanted = std::slice::from_ref(&event_id);
            let rows = RELATIONS.query(reader, &[room.room.into()], wanted).await?;
            let Some(row) = rows.first() else { break };
            match row.opt_text(1)? {
                _ if row.opt_text(3)?.is_some() => return Ok(true),
                Some(THREAD) => return Ok(row.text(2)? == thread),
                Some(_) => event_id = event_id_at(row, 2)?,
                None => break,
            }
        }
        // What leads to no thread is said outside of them.
        Ok(thread == "main")
    }

    /// The newest events that were said in threads after `after`, up to and including `up_to`,
    /// newest first.
    pub async fn newest_in_threads(
        &self,
        reader: &Reader,
        room: &Room,
        (after, up_to): (i64, i64),
        limit: i64,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let params = [room.room.into(), after.into(), up_to.into(), limit.into()];
        let rows = reader.query(IN_THREADS, &params).await?;
        open_events(reader, self.keyring(), room.rules(), &rows).await
    }
}

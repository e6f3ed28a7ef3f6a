//! Where in a user's rooms all words stand: the newest such places, as far as the index tells.

use std::{
    collections::{BinaryHeap, HashMap, hash_map::Entry},
    ops::Range,
    sync::Arc,
};

use rooms::{History, Room};
use ruma::UserId;
use store::{Snapshot, StoreError};

use crate::{
    Criteria, Field, Search,
    blocks::{self, Indexes, Wanted},
    room_index::RoomIndex,
    source::{Source, Step},
};

/// How many places are gathered, at most: they are counted and ranked.
const MOST: usize = 2_000;

/// How many blocks of the index are read for that, at most, beyond those that are read at once for
/// each room: each has up to 512 postings.
const MOST_BLOCKS: usize = 4_096;

/// A room in which something was found, and what the user may see of it.
#[derive(Clone)]
pub(crate) struct Sight {
    pub(crate) room: Arc<Room>,
    pub(crate) history: Arc<History>,
    /// Newest first.
    parts: Arc<[Range<i64>]>,
}

/// An event in which all words seem to stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// The room's integer.
    pub(crate) room: i64,
    pub(crate) field: Field,
    pub(crate) ord: i64,
    /// How much of its text the words are, together.
    pub(crate) weight: u32,
}

/// What was gathered.
#[derive(Default)]
pub(crate) struct Candidates {
    /// Newest first.
    pub(crate) list: Vec<Candidate>,
    /// The place before which there may be more.
    pub(crate) rest: Option<i64>,
    pub(crate) sights: HashMap<i64, Sight>,
}

/// What may come next: a place at which there is a match or up to which one may be, in the order
/// of the log of all rooms, and which source it is of.
type Next = (i64, Option<u32>, usize);

/// One gathering in the making.
pub(crate) struct Gathering<'a> {
    pub(crate) search: &'a Search,
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) user_id: &'a UserId,
}

impl Gathering<'_> {
    /// Gathers the newest places before `until`.
    pub(crate) async fn gather(
        &self,
        rooms: &[i64],
        criteria: &Criteria,
        until: i64,
    ) -> Result<Candidates, StoreError> {
        let mut candidates = Candidates::default();
        let Some(last) = until.checked_sub(1) else {
            return Ok(candidates);
        };
        let mut sources = self.sources(rooms, criteria, last).await?;
        let begins = (0..sources.len()).map(|source| (last, None, source));
        let mut heap: BinaryHeap<Next> = begins.collect();
        // Each source that may have the newest match is read once at least, so that the next page
        // begins before this one.
        let most_blocks = MOST_BLOCKS + sources.len();
        let mut blocks = 0;
        while let Some((ord, found, index)) = heap.pop() {
            let source = &mut sources[index];
            let Some(weight) = found else {
                if blocks >= most_blocks {
                    candidates.rest = Some(ord.saturating_add(1));
                    break;
                }
                match source.step(self.snapshot, ord, &mut blocks).await? {
                    Step::Match(ord, weight) => heap.push((ord, Some(weight), index)),
                    Step::UpTo(ord) => heap.push((ord, None, index)),
                    Step::End => {}
                }
                continue;
            };
            if candidates.list.len() == MOST {
                candidates.rest = Some(ord.saturating_add(1));
                break;
            }
            let next = match self.seen(&mut candidates.sights, source.room, ord).await? {
                Some(seen) if seen == ord => {
                    candidates.list.push(Candidate {
                        room: source.room,
                        field: source.field,
                        ord,
                        weight,
                    });
                    ord.checked_sub(1)
                }
                other => other,
            };
            heap.extend(next.map(|next| (next, None, index)));
        }
        Ok(candidates)
    }

    /// The rooms and fields in which each word stands somewhere.
    async fn sources(
        &self,
        rooms: &[i64],
        criteria: &Criteria,
        last: i64,
    ) -> Result<Vec<Source>, StoreError> {
        let keyring = &self.search.inner.keyring;
        let indexes: Indexes = rooms
            .iter()
            .map(|room| (*room, Arc::new(RoomIndex::new(keyring, *room))))
            .collect();
        let mut sources = Vec::with_capacity(rooms.len() * criteria.fields.len());
        for room in rooms {
            for field in &criteria.fields {
                sources.push(Source::new(*room, *field, Arc::clone(&indexes[room])));
            }
        }
        for word in criteria.wanted.lookups() {
            let wanted: Vec<Wanted> = sources
                .iter()
                .map(|source| (source.room, source.token(word), last))
                .collect();
            let found = blocks::around(self.snapshot, &indexes, &wanted).await?;
            let mut found: HashMap<(i64, i64), _> = found
                .into_iter()
                .map(|((room, token, first), block)| ((room, token), (first, block)))
                .collect();
            sources.retain_mut(|source| {
                let token = source.token(word);
                let block = found.remove(&(source.room, token));
                if let Some((first, block)) = block {
                    source.add(token, first, block);
                    return true;
                }
                false
            });
        }
        Ok(sources)
    }

    /// The last place up to `ord` in a room of whose messages the user may see.
    async fn seen(
        &self,
        sights: &mut HashMap<i64, Sight>,
        room: i64,
        ord: i64,
    ) -> Result<Option<i64>, StoreError> {
        let sight = match sights.entry(room) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => match self.sight(room).await? {
                Some(sight) => unknown.insert(sight),
                None => return Ok(None),
            },
        };
        Ok(last_seen(&sight.parts, ord))
    }

    async fn sight(&self, room: i64) -> Result<Option<Sight>, StoreError> {
        let rooms = &self.search.inner.rooms;
        let Some(room) = rooms.room_by_number(self.snapshot, room).await? else {
            return Ok(None);
        };
        let history = rooms.history(self.snapshot, &room, self.user_id).await?;
        Ok(Some(Sight {
            parts: history.sights().into(),
            room,
            history: Arc::new(history),
        }))
    }
}

fn last_seen(parts: &[Range<i64>], ord: i64) -> Option<i64> {
    let part = parts.iter().find(|part| part.start <= ord)?;
    Some(ord.min(part.end.saturating_sub(1)))
}

#[cfg(test)]
mod tests {
    use super::last_seen;

    #[test]
    fn what_may_not_be_seen_is_passed_over() {
        let parts = [20..i64::MAX, 5..10, i64::MIN..2];
        for (ord, seen) in [(100, 100), (20, 20), (19, 9), (7, 7), (4, 1), (-9, -9)] {
            assert_eq!(last_seen(&parts, ord), Some(seen), "{ord}");
        }
        assert_eq!(last_seen(&parts[..2], 4), None);
        assert_eq!(last_seen(&[], 4), None);
    }
}

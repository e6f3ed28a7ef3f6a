//! Reading what the index names again, and deciding whether it is what was meant.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use rooms::{History, Room, Rooms, StoredEvent};
use ruma::{EventId, OwnedEventId, OwnedUserId};
use store::{Snapshot, StoreError};

use crate::{
    Criteria,
    candidates::{Candidate, Sight},
    page_token::Group,
    text::Text,
};

/// An event that was found.
pub struct Hit {
    /// The room.
    pub room: Arc<Room>,
    /// What of it the user may see.
    pub history: Arc<History>,
    /// The event. If it was edited, what was found stands in its last edit.
    pub event: StoredEvent,
    /// The text in which all words stand.
    pub text: String,
    /// How well it fits, from 0 to 1.
    pub rank: f64,
}

/// Who decides, and on what.
pub(crate) struct Judge<'a> {
    pub(crate) rooms: &'a Rooms,
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) user: i64,
    pub(crate) ignored: &'a BTreeSet<OwnedUserId>,
    pub(crate) criteria: &'a Criteria,
}

/// A candidate that was read: which event is shown for it, and with which text.
struct Read {
    candidate: Candidate,
    text: Text,
    event: StoredEvent,
}

impl Judge<'_> {
    /// Those of some candidates of any rooms that are results, by their places, and how many bytes
    /// were read for that.
    pub(crate) async fn judge(
        &self,
        candidates: &[Candidate],
        sights: &HashMap<i64, Sight>,
    ) -> Result<(HashMap<i64, Hit>, usize), StoreError> {
        let mut by_room: HashMap<i64, Vec<Candidate>> = HashMap::new();
        for candidate in candidates {
            by_room.entry(candidate.room).or_default().push(*candidate);
        }
        let (mut hits, mut bytes) = (HashMap::new(), 0);
        for (room, candidates) in by_room {
            let sight = &sights[&room];
            let read = self.read(sight, &candidates, &mut bytes).await?;
            for read in self.shown(sight, read).await? {
                hits.insert(read.candidate.ord, self.hit(sight, read));
            }
        }
        Ok((hits, bytes))
    }

    /// Reads candidates of one room, as far as the user may see them and their text fits.
    async fn read(
        &self,
        sight: &Sight,
        candidates: &[Candidate],
        bytes: &mut usize,
    ) -> Result<Vec<Read>, StoreError> {
        let places: Vec<i64> = candidates.iter().map(|candidate| candidate.ord).collect();
        let events = self.rooms.events_at(self.snapshot, &sight.room, &places);
        let events = events.await?;
        let by_place: HashMap<i64, Candidate> = candidates
            .iter()
            .map(|candidate| (candidate.ord, *candidate))
            .collect();
        let mut read = Vec::new();
        for event in events {
            *bytes += event.pdu.json().len();
            let Some(candidate) = by_place.get(&event.ord) else {
                continue;
            };
            if !self.may_tell(sight, &event) {
                continue;
            }
            let text = Text::of(&event.pdu).filter(|text| {
                text.field == candidate.field && self.criteria.wanted.stands_in(&text.text)
            });
            read.extend(text.map(|text| Read {
                candidate: *candidate,
                text,
                event,
            }));
        }
        Ok(read)
    }

    /// Those whose text the user is shown: not one that was edited, nor an edit that is not the
    /// last that they may see. An edit stands for the event that it edits.
    async fn shown(&self, sight: &Sight, read: Vec<Read>) -> Result<Vec<Read>, StoreError> {
        let edited: Vec<OwnedEventId> = read
            .iter()
            .filter_map(|read| read.text.replaces.clone())
            .collect();
        let originals = match edited.is_empty() {
            true => HashMap::new(),
            false => {
                self.rooms
                    .events(self.snapshot, &sight.room, &edited)
                    .await?
            }
        };
        let mut of_shown: Vec<&StoredEvent> = originals.values().collect();
        of_shown.extend(read.iter().map(|read| &read.event));
        let reader = (self.user, &*sight.history);
        let bundles = self
            .rooms
            .bundles(self.snapshot, &sight.room, reader, &of_shown)
            .await?;
        let edit_of = |event_id: &EventId| {
            let bundle = bundles.of(event_id)?;
            bundle
                .edit
                .as_ref()
                .map(|edit| edit.pdu.event_id().to_owned())
        };
        let shown = read.into_iter().filter_map(|mut read| {
            let event_id = read.event.pdu.event_id().to_owned();
            let Some(original_id) = &read.text.replaces else {
                return edit_of(&event_id).is_none().then_some(read);
            };
            let original = originals.get(original_id)?;
            let is_last = edit_of(original_id) == Some(event_id);
            if !is_last || !self.may_tell(sight, original) {
                return None;
            }
            read.event = original.clone();
            Some(read)
        });
        Ok(shown.filter(|read| self.is_wanted(&read.event)).collect())
    }

    /// As in every other reading.
    fn may_tell(&self, sight: &Sight, event: &StoredEvent) -> bool {
        let is_ignored =
            event.pdu.state_key().is_none() && self.ignored.contains(event.pdu.sender());
        sight.history.shows(event) && !is_ignored
    }

    fn is_wanted(&self, event: &StoredEvent) -> bool {
        let group = self
            .criteria
            .from
            .as_ref()
            .and_then(|from| from.group.as_ref());
        let is_of_group = match group {
            Some(Group::Sender(sender)) => event.pdu.sender() == sender,
            Some(Group::Room(room)) => event.pdu.room_id() == room,
            None => true,
        };
        is_of_group && self.criteria.filter.passes(&event.pdu)
    }

    fn hit(&self, sight: &Sight, read: Read) -> Hit {
        let most =
            255.0 * f64::from(u32::try_from(self.criteria.wanted.lookups().len()).unwrap_or(1));
        Hit {
            room: Arc::clone(&sight.room),
            history: Arc::clone(&sight.history),
            event: read.event,
            text: read.text.text,
            rank: f64::from(read.candidate.weight) / most,
        }
    }
}

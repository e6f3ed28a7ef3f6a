//! Answers that no database is asked for: most waiting syncs are woken for a message or two, and
//! most that arrive find nothing.
//!
//! What was read for a device's last answer is remembered, and where in the log. As long as the log
//! says that none of it was touched since ([`Lately`]), the next answer is made of it, and of the
//! ends of timelines that [`Rooms`](rooms::Rooms) keeps. Whatever is out of the ordinary (state
//! that changed, receipts, messages to the device, other people's devices, presence, a gap) is
//! left to the reading of a snapshot, which tells the same: this only leaves out what it would
//! find unchanged.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use keys::Keys;
use model::{room_state::StateView, time::Timestamp};
use moka::sync::Cache;
use rooms::{Room, StoredEvent};
use ruma::UserId;
use store::{Lately, Pos};

use crate::{
    answer::Turn,
    ephemeral::EphemeralState,
    render::{Beside, Reader, state_event, timeline_event},
    response::{ClientEvent, Events, JoinedRoom, SyncResponse, Timeline},
    rooms_part::wanted_events,
    sync::{Inner, SyncRequest, Syncer},
    token::{Boundary, SyncToken},
};

/// How much is remembered of all devices together: rooms that their users are in, and sixteen for
/// all else of a device.
const ROOMS: u64 = 4_000_000;

/// What is remembered of devices.
pub(crate) struct Memory {
    devices: Cache<(i64, Arc<str>), Arc<Remembered>>,
}

/// What was read for a device's last answer that was read from a snapshot.
pub(crate) struct Remembered {
    /// The epoch.
    pub(crate) epoch: i64,
    /// The snapshot's head.
    pub(crate) at: Pos,
    /// The device has all messages to it up to here, and they are deleted.
    pub(crate) has_messages: Pos,
    /// The rooms that the user is in.
    pub(crate) joined: Arc<BTreeSet<i64>>,
    /// Unclaimed one-time keys.
    pub(crate) one_time_keys: BTreeMap<String, u64>,
    /// Unused fallback keys.
    pub(crate) fallback_keys: Vec<String>,
}

/// One sync that is answered from memory.
struct Remembering<'a> {
    inner: &'a Inner,
    syncer: Syncer<'a>,
    request: &'a SyncRequest,
    since: Pos,
    epoch: i64,
    head: Pos,
    /// Where the user was touched last.
    touched: Pos,
    now: Timestamp,
}

impl Memory {
    pub(crate) fn new() -> Self {
        let weight = |remembered: &Remembered| u32::try_from(remembered.joined.len() + 16);
        let cache = Cache::builder().max_capacity(ROOMS);
        let cache = cache
            .weigher(move |_, remembered: &Arc<Remembered>| weight(remembered).unwrap_or(u32::MAX));
        Self {
            devices: cache.build(),
        }
    }

    fn of(&self, syncer: Syncer<'_>) -> Option<Arc<Remembered>> {
        let key = (syncer.user, syncer.device_id.as_str().into());
        self.devices.get(&key)
    }

    pub(crate) fn remember(&self, syncer: Syncer<'_>, remembered: Remembered) {
        let key = (syncer.user, syncer.device_id.as_str().into());
        self.devices.insert(key, Arc::new(remembered));
    }
}

impl Remembered {
    /// Whether it still stands, and nothing waits for the device.
    fn stands(&self, syncer: Syncer<'_>, lately: &Lately) -> bool {
        let device = lately.device(syncer.user, syncer.device_id.as_str());
        lately.user(syncer.user) <= self.at && device <= self.at.min(self.has_messages)
    }
}

impl Inner {
    /// Whether a token is of now and proves nothing that is not known: there is nothing to delete.
    pub(crate) fn knows(&self, syncer: Syncer<'_>, since: SyncToken) -> bool {
        let remembered = self.memory.of(syncer);
        let remembered = remembered.filter(|remembered| remembered.epoch == since.epoch);
        remembered.is_some_and(|remembered| remembered.stands(syncer, &self.log.lately()))
    }

    /// An answer from memory, if that tells all that a snapshot would.
    ///
    /// The read barrier was passed.
    pub(crate) fn remembered_turn(
        &self,
        syncer: Syncer<'_>,
        request: &SyncRequest,
        since: Option<SyncToken>,
    ) -> Option<Turn> {
        let is_plain = !request.full_state && !request.filter.reshapes();
        let since = since.filter(|_| is_plain)?;
        let remembered = self.memory.of(syncer)?;
        // Counted before anything is looked at: what changes meanwhile is told again, not lost.
        let ephemeral = self.ephemeral.now();
        let pos = Pos::new(since.pos);
        let (head, touched, moved) = {
            let lately = self.log.lately();
            let is_usual = remembered.epoch == since.epoch
                && remembered.stands(syncer, &lately)
                && lately.user(syncer.user) <= pos
                && lately.kind(Keys::IDENTITY_KIND) <= pos
                && pos <= lately.head();
            if !is_usual {
                return None;
            }
            let rooms = remembered.joined.iter().copied();
            let moved: Vec<i64> = rooms.filter(|room| lately.room(*room) > pos).collect();
            (lately.head(), lately.user(syncer.user), moved)
        };
        if !self.is_quiet(&self.ephemeral, since, &remembered.joined) {
            return None;
        }
        let remembering = Remembering {
            inner: self,
            syncer,
            request,
            since: pos,
            epoch: since.epoch,
            head,
            touched,
            now: self.clock.now(),
        };
        let mut response = SyncResponse {
            device_one_time_keys_count: remembered.one_time_keys.clone(),
            device_unused_fallback_key_types: remembered.fallback_keys.clone(),
            ..SyncResponse::default()
        };
        for room in moved {
            let room = self.rooms.room_in_memory(room)?;
            if !request.filter.rooms.matches(&room.room_id) {
                continue;
            }
            if let Some(told) = remembering.joined(&room)? {
                response.rooms.join.insert(room.room_id.clone(), told);
            }
        }
        let token = SyncToken {
            epoch: since.epoch,
            pos: head.get(),
            to_device_pos: head.get(),
            ephemeral,
        };
        response.next_batch = token.to_string();
        Some(Turn {
            response,
            head,
            joined: Arc::clone(&remembered.joined),
        })
    }

    /// Whether there is no news of typing in these rooms, nor of anybody's presence.
    fn is_quiet(
        &self,
        ephemeral: &EphemeralState,
        since: SyncToken,
        joined: &BTreeSet<i64>,
    ) -> bool {
        let known = since.ephemeral;
        if !ephemeral.has_counted(known) {
            return false;
        }
        if ephemeral.now() == known {
            return true;
        }
        let now = self.clock.now();
        let typing = ephemeral.typing_rooms(joined.iter().copied(), Some(known), now);
        typing.is_empty() && (!self.presence_enabled || !ephemeral.has_presence_since(known))
    }
}

impl Remembering<'_> {
    /// A room that the user is in and was in at their token: what was said there since, if it is
    /// nothing but that. `None` when more has to be looked at; within, when nothing is to be told.
    fn joined(&self, room: &Room) -> Option<Option<JoinedRoom>> {
        let filter = &self.request.filter;
        if room.state_pos() > self.since || !filter.timeline.matches_room(&room.room_id) {
            return None;
        }
        let Syncer { user, user_id, .. } = self.syncer;
        let rooms = &self.inner.rooms;
        let unread = rooms.unread_lately(room, (user, user_id), self.touched, self.head)?;
        let mut events = rooms.events_lately(room, self.since, self.head)?;
        events.retain(|event| {
            !unread.ignored.contains(event.pdu.sender()) && filter.timeline.passes(&event.pdu)
        });
        if events.len() > wanted_events(filter) {
            return None;
        }
        if events.is_empty() {
            return Some(None);
        }
        let state = self.request.state_at.tell(Events {
            events: self.speakers(room, &events),
        });
        let mut told = JoinedRoom {
            state,
            timeline: self.timeline(&events),
            ..JoinedRoom::default()
        };
        told.count_unread(&unread.counts, filter.timeline.unread_thread_notifications);
        Some(Some(told))
    }

    /// Under lazy loading, the members who speak; no other state changed.
    fn speakers(&self, room: &Room, events: &[StoredEvent]) -> Vec<ClientEvent> {
        let filter = &self.request.filter;
        if !filter.lazy_load_members() {
            return Vec::new();
        }
        let speakers: BTreeSet<&UserId> = events.iter().map(|event| event.pdu.sender()).collect();
        let members = speakers.into_iter();
        let members = members.filter_map(|user| room.state.get("m.room.member", user.as_str()));
        members
            .filter(|event| filter.state.passes(event))
            .map(|event| state_event(event, self.now, None))
            .collect()
    }

    fn timeline(&self, events: &[StoredEvent]) -> Timeline {
        let begin = events
            .first()
            .map_or(self.head.get() + 1, |first| first.ord);
        let reader = Reader {
            device_id: Some(self.syncer.device_id.as_str()),
            user: self.syncer.user,
            user_id: self.syncer.user_id,
            now: self.now,
        };
        let beside = Beside {
            // Nobody's membership changed, so they are in.
            membership: Some("join"),
            ..Beside::default()
        };
        Timeline {
            events: events
                .iter()
                .map(|event| timeline_event(event, reader, beside))
                .collect(),
            limited: false,
            prev_batch: Some(Boundary::in_epoch(self.epoch, begin).to_string()),
        }
    }
}

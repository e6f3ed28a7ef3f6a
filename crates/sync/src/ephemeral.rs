//! Typing and presence: they travel on the bus only, and this node counts what it learned.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use model::time::Timestamp;
use parking_lot::Mutex;

use crate::token::Ephemeral;

/// The longest that a client may claim to be typing without saying so again.
const LONGEST_TYPING: Duration = Duration::from_secs(120);

/// How long a presence stands that nobody confirms.
const PRESENCE_LASTS: Duration = Duration::from_secs(300);

/// Whether somebody is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    /// `online`, `unavailable` or `offline`.
    pub state: String,
    /// What they say of themselves.
    pub status: Option<String>,
    /// When they last did something.
    pub active_at: Timestamp,
}

/// What this node knows of typing and presence.
pub(crate) struct EphemeralState {
    node: u64,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    seq: u64,
    /// By room, then user: until when.
    typing: HashMap<i64, BTreeMap<i64, Timestamp>>,
    /// By room: when it last changed, as a count and by the clock.
    typing_changed: HashMap<i64, (u64, Timestamp)>,
    presence: HashMap<i64, (Presence, u64)>,
}

impl EphemeralState {
    /// Begins to count; `node` names this counter among all nodes and starts.
    pub(crate) fn new(node: u64) -> Self {
        Self {
            node,
            inner: Mutex::default(),
        }
    }

    /// Where the counter is.
    pub(crate) fn now(&self) -> Ephemeral {
        Ephemeral {
            node: self.node,
            seq: self.inner.lock().seq,
        }
    }

    /// A user types in a room for a while, or stops. Tells whether that is news.
    pub(crate) fn set_typing(
        &self,
        room: i64,
        user: i64,
        for_how_long: Option<Duration>,
        now: Timestamp,
    ) -> bool {
        let mut inner = self.inner.lock();
        let typists = inner.typing.entry(room).or_default();
        let changed = match for_how_long {
            Some(duration) => {
                let until = now.plus(duration.min(LONGEST_TYPING));
                typists.insert(user, until).is_none()
            }
            None => typists.remove(&user).is_some(),
        };
        if changed {
            inner.note_typing(room, now);
        }
        changed
    }

    /// Ends what has lasted too long; gives the rooms where somebody stopped typing, and when
    /// to look again.
    pub(crate) fn expire(&self, now: Timestamp) -> (Vec<i64>, Option<Timestamp>) {
        let mut inner = self.inner.lock();
        let mut stopped = Vec::new();
        for (room, typists) in &mut inner.typing {
            let before = typists.len();
            typists.retain(|_, until| *until > now);
            if typists.len() < before {
                stopped.push(*room);
            }
        }
        for room in &stopped {
            inner.note_typing(*room, now);
        }
        inner.typing.retain(|_, typists| !typists.is_empty());
        let next = inner
            .typing
            .values()
            .flat_map(BTreeMap::values)
            .min()
            .copied();
        (stopped, next)
    }

    /// Whether the client has counted here; else it is told the current state in full.
    pub(crate) fn has_counted(&self, since: Ephemeral) -> bool {
        since.node == self.node
    }

    /// The rooms where who types changed since the client's count.
    pub(crate) fn typing_rooms(&self, since: Option<Ephemeral>, now: Timestamp) -> Vec<i64> {
        let inner = self.inner.lock();
        let rooms = inner.typing_changed.keys();
        rooms
            .filter(|room| self.is_news(&inner, **room, since, now))
            .copied()
            .collect()
    }

    /// Who types in a room, if that changed since the client's count.
    pub(crate) fn typing(
        &self,
        room: i64,
        since: Option<Ephemeral>,
        now: Timestamp,
    ) -> Option<Vec<i64>> {
        let inner = self.inner.lock();
        self.is_news(&inner, room, since, now)
            .then(|| inner.typists(room, now))
    }

    /// Whether a client that has counted up to `since` must learn who types in a room.
    fn is_news(&self, inner: &Inner, room: i64, since: Option<Ephemeral>, now: Timestamp) -> bool {
        let Some((changed, at)) = inner.typing_changed.get(&room) else {
            return false;
        };
        match since {
            Some(since) if self.has_counted(since) => *changed > since.seq,
            // Somewhere else it may have learned of somebody who has stopped since.
            Some(_) if now.since(*at) <= LONGEST_TYPING => true,
            _ => !inner.typists(room, now).is_empty(),
        }
    }

    /// A user is there, or not. Tells whether that is news to others.
    pub(crate) fn set_presence(&self, user: i64, presence: Presence) -> bool {
        let mut inner = self.inner.lock();
        let known = inner.presence.get(&user);
        let same = known.is_some_and(|(known, _)| {
            known.state == presence.state && known.status == presence.status
        });
        let seq = match known {
            Some((_, seq)) if same => *seq,
            _ => {
                inner.seq += 1;
                inner.seq
            }
        };
        inner.presence.insert(user, (presence, seq));
        !same
    }

    /// What is known of a user.
    pub(crate) fn presence(&self, user: i64, now: Timestamp) -> Option<Presence> {
        let inner = self.inner.lock();
        inner
            .presence
            .get(&user)
            .map(|(presence, _)| aged(presence, now))
    }

    /// Whose presence changed since the client's count, and everybody's in `besides` as far as it
    /// is known.
    pub(crate) fn presence_since(
        &self,
        since: Option<Ephemeral>,
        besides: &BTreeSet<i64>,
        now: Timestamp,
    ) -> BTreeMap<i64, Presence> {
        let inner = self.inner.lock();
        let after = since
            .filter(|since| self.has_counted(*since))
            .map_or(0, |since| since.seq);
        inner
            .presence
            .iter()
            .filter(|(user, (_, seq))| *seq > after || besides.contains(user))
            .map(|(user, (presence, _))| (*user, aged(presence, now)))
            .collect()
    }

    /// Users who said they were there and have not been heard of since; each becomes offline.
    pub(crate) fn expire_presence(&self, now: Timestamp) -> Vec<i64> {
        let mut inner = self.inner.lock();
        let silent: Vec<i64> = inner
            .presence
            .iter()
            .filter(|(_, (presence, _))| {
                presence.state != "offline" && now.since(presence.active_at) > PRESENCE_LASTS
            })
            .map(|(user, _)| *user)
            .collect();
        for user in &silent {
            inner.seq += 1;
            let seq = inner.seq;
            if let Some((presence, changed)) = inner.presence.get_mut(user) {
                presence.state = "offline".to_owned();
                *changed = seq;
            }
        }
        silent
    }
}

impl Inner {
    fn note_typing(&mut self, room: i64, now: Timestamp) {
        self.seq += 1;
        self.typing_changed.insert(room, (self.seq, now));
    }

    fn typists(&self, room: i64, now: Timestamp) -> Vec<i64> {
        let typists = self.typing.get(&room).into_iter().flatten();
        typists
            .filter(|(_, until)| **until > now)
            .map(|(user, _)| *user)
            .collect()
    }
}

fn aged(presence: &Presence, now: Timestamp) -> Presence {
    let mut presence = presence.clone();
    if now.since(presence.active_at) > PRESENCE_LASTS {
        presence.state = "offline".to_owned();
    }
    presence
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);
    const WHILE: Option<Duration> = Some(Duration::from_secs(10));

    #[test]
    fn a_client_learns_of_typing_once_and_of_its_end() {
        let state = EphemeralState::new(7);
        let before = state.now();
        assert!(state.set_typing(1, 42, WHILE, NOW));
        assert_eq!(state.typing(1, Some(before), NOW), Some(vec![42]));
        let seen = state.now();
        assert!(!state.set_typing(1, 42, WHILE, NOW), "going on is no news");
        assert_eq!(state.typing(1, Some(seen), NOW), None);
        let (stopped, next) = state.expire(NOW.plus(Duration::from_secs(11)));
        assert_eq!((stopped, next), (vec![1], None));
        assert_eq!(state.typing(1, Some(seen), NOW), Some(vec![]));
    }

    #[test]
    fn a_foreign_count_gets_the_current_state_in_full() {
        let state = EphemeralState::new(7);
        state.set_typing(1, 42, WHILE, NOW);
        let foreign = Ephemeral {
            node: 8,
            seq: 1_000,
        };
        assert_eq!(state.typing(1, Some(foreign), NOW), Some(vec![42]));
        assert_eq!(state.typing(2, Some(foreign), NOW), None);
    }

    #[test]
    fn silence_makes_offline() {
        let state = EphemeralState::new(7);
        let online = Presence {
            state: "online".to_owned(),
            status: None,
            active_at: NOW,
        };
        assert!(state.set_presence(5, online));
        let seen = state.now();
        let later = NOW.plus(Duration::from_secs(301));
        assert_eq!(state.expire_presence(later), vec![5]);
        let told = state.presence_since(Some(seen), &BTreeSet::new(), later);
        assert_eq!(told[&5].state, "offline");
    }
}

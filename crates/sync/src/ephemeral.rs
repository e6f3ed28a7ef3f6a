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
pub(crate) const PRESENCE_LASTS: Duration = Duration::from_secs(300);

/// How often other nodes are told of a presence that goes on.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// How many people other nodes may say are typing: a bus that talks nonsense is not believed
/// beyond that.
const MOST_TYPISTS: usize = 1 << 16;

/// Of how many people's presence other nodes may tell.
const MOST_PRESENCES: usize = 1 << 18;

/// For how many rooms it is remembered when typing last changed there.
const MOST_ROOMS: usize = 1 << 18;

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

/// Who told this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A client: this node speaks for its user.
    Here,
    /// Another node.
    Elsewhere,
}

/// What this node knows of typing and presence.
pub(crate) struct EphemeralState {
    node: u64,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    seq: u64,
    /// By room, then user.
    typing: HashMap<i64, BTreeMap<i64, Typist>>,
    /// How many there are in all rooms.
    typists: usize,
    /// By room: when it last changed, as a count and by the clock.
    typing_changed: HashMap<i64, (u64, Timestamp)>,
    /// When rooms that are in `typing_changed` no longer may have changed last.
    forgotten: u64,
    presence: HashMap<i64, Known>,
    /// When somebody's presence last changed, as a count.
    presence_changed: u64,
}

#[derive(Clone, Copy)]
struct Typist {
    until: Timestamp,
    source: Source,
}

struct Known {
    presence: Presence,
    /// When it last changed, as a count.
    seq: u64,
    source: Source,
    /// When other nodes were last told.
    told_at: Timestamp,
}

/// What follows from a presence that a client told.
pub(crate) struct Noted {
    /// Whether it is news to those who wait here.
    pub(crate) is_news: bool,
    /// Whether other nodes have to be told.
    pub(crate) tell: bool,
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
        source: Source,
    ) -> bool {
        let mut inner = self.inner.lock();
        let typists = inner.typing.get(&room);
        let known = typists.is_some_and(|typists| typists.contains_key(&user));
        let full = source == Source::Elsewhere && inner.typists >= MOST_TYPISTS;
        let changed = match for_how_long {
            Some(_) if full && !known => false,
            Some(duration) => {
                let until = now.plus(duration.min(LONGEST_TYPING));
                let typists = inner.typing.entry(room).or_default();
                typists.insert(user, Typist { until, source });
                inner.typists += usize::from(!known);
                !known
            }
            None => {
                if let Some(typists) = inner.typing.get_mut(&room) {
                    typists.remove(&user);
                }
                inner.typists -= usize::from(known);
                known
            }
        };
        if changed {
            inner.note_typing(room, now);
        }
        changed
    }

    /// Ends what has lasted too long; gives the rooms where somebody stopped typing.
    pub(crate) fn expire_typing(&self, now: Timestamp) -> Vec<i64> {
        let mut inner = self.inner.lock();
        let mut stopped = Vec::new();
        let mut left = 0;
        for (room, typists) in &mut inner.typing {
            let before = typists.len();
            typists.retain(|_, typist| typist.until > now);
            left += typists.len();
            if typists.len() < before {
                stopped.push(*room);
            }
        }
        inner.typists = left;
        for room in &stopped {
            inner.note_typing(*room, now);
        }
        inner.typing.retain(|_, typists| !typists.is_empty());
        stopped
    }

    /// Whether the client has counted here; else it is told the current state in full.
    pub(crate) fn has_counted(&self, since: Ephemeral) -> bool {
        since.node == self.node
    }

    /// Those of `rooms` where who types changed since the client's count.
    pub(crate) fn typing_rooms(
        &self,
        rooms: impl Iterator<Item = i64>,
        since: Option<Ephemeral>,
        now: Timestamp,
    ) -> Vec<i64> {
        let inner = self.inner.lock();
        rooms
            .filter(|room| self.is_news(&inner, *room, since, now))
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
            .then(|| inner.typists_in(room, now))
    }

    /// Whether a client that has counted up to `since` must learn who types in a room.
    fn is_news(&self, inner: &Inner, room: i64, since: Option<Ephemeral>, now: Timestamp) -> bool {
        let changed = inner.typing_changed.get(&room);
        let lately = |(_, at): &(u64, Timestamp)| now.since(*at) <= LONGEST_TYPING;
        match since {
            Some(since) if self.has_counted(since) => {
                changed.map_or(inner.forgotten, |(seq, _)| *seq) > since.seq
            }
            // Elsewhere it may have learned of somebody who has stopped since.
            Some(_) if changed.is_some_and(lately) => true,
            _ => !inner.typists_in(room, now).is_empty(),
        }
    }

    /// Who types at a client of this node: the room, the user, until when.
    pub(crate) fn typing_here(&self, now: Timestamp) -> Vec<(i64, i64, Timestamp)> {
        let inner = self.inner.lock();
        let everywhere = inner.typing.iter().flat_map(|(room, typists)| {
            typists.iter().map(|(user, typist)| (*room, *user, typist))
        });
        everywhere
            .filter(|(_, _, typist)| typist.source == Source::Here && typist.until > now)
            .map(|(room, user, typist)| (room, user, typist.until))
            .collect()
    }

    /// A client says that its user is there, or not.
    pub(crate) fn set_presence(&self, user: i64, presence: Presence) -> Noted {
        let mut inner = self.inner.lock();
        let now = presence.active_at;
        let is_news = inner.note_presence(user, presence, Source::Here);
        let known = inner.presence.get_mut(&user);
        let due = |known: &&mut Known| is_news || now.since(known.told_at) >= TELL_EVERY;
        let tell = known.filter(due).map(|known| known.told_at = now);
        Noted {
            is_news,
            tell: tell.is_some(),
        }
    }

    /// Another node says that a user is there, or not. Tells whether that is news.
    pub(crate) fn hear_presence(&self, user: i64, presence: Presence) -> bool {
        let mut inner = self.inner.lock();
        match inner.presence.get(&user) {
            // Nodes that were apart each tell what they last knew: the later act counts.
            Some(known) if known.presence.active_at > presence.active_at => return false,
            None if inner.presence.len() >= MOST_PRESENCES => return false,
            _ => {}
        }
        inner.note_presence(user, presence, Source::Elsewhere)
    }

    /// What is known of a user.
    pub(crate) fn presence(&self, user: i64, now: Timestamp) -> Option<Presence> {
        let inner = self.inner.lock();
        let known = inner.presence.get(&user);
        known.map(|known| aged(&known.presence, now))
    }

    /// Users of this node's clients who were there lately.
    pub(crate) fn present_here(&self, now: Timestamp) -> Vec<i64> {
        let inner = self.inner.lock();
        let lately = |known: &Known| now.since(known.presence.active_at) <= PRESENCE_LASTS;
        inner
            .presence
            .iter()
            .filter(|(_, known)| known.source == Source::Here && lately(known))
            .map(|(user, _)| *user)
            .collect()
    }

    /// What a client of this node said of its user, as long as no other node knew it better.
    pub(crate) fn presence_here(&self, user: i64) -> Option<Presence> {
        let inner = self.inner.lock();
        let known = inner.presence.get(&user);
        known
            .filter(|known| known.source == Source::Here)
            .map(|known| known.presence.clone())
    }

    /// Whether anybody's presence changed since the client's count.
    pub(crate) fn has_presence_since(&self, since: Ephemeral) -> bool {
        !self.has_counted(since) || self.inner.lock().presence_changed > since.seq
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
            .filter(|(user, known)| known.seq > after || besides.contains(user))
            .map(|(user, known)| (*user, aged(&known.presence, now)))
            .collect()
    }

    /// Users who said they were there and have not been heard of since; each becomes offline.
    pub(crate) fn expire_presence(&self, now: Timestamp) -> Vec<i64> {
        let mut inner = self.inner.lock();
        let silent: Vec<i64> = inner
            .presence
            .iter()
            .filter(|(_, Known { presence, .. })| {
                presence.state != "offline" && now.since(presence.active_at) > PRESENCE_LASTS
            })
            .map(|(user, _)| *user)
            .collect();
        for user in &silent {
            inner.seq += 1;
            let seq = inner.seq;
            inner.presence_changed = seq;
            if let Some(known) = inner.presence.get_mut(user) {
                known.presence.state = "offline".to_owned();
                known.seq = seq;
            }
        }
        if inner.presence.len() > MOST_PRESENCES / 2 {
            // Whoever waits has been told by now that they are gone.
            inner.presence.retain(|_, known| {
                let silence = now.since(known.presence.active_at);
                known.source == Source::Here || silence <= 2 * PRESENCE_LASTS
            });
        }
        silent
    }
}

impl Inner {
    fn typists_in(&self, room: i64, now: Timestamp) -> Vec<i64> {
        let typists = self.typing.get(&room).into_iter().flatten();
        typists
            .filter(|(_, typist)| typist.until > now)
            .map(|(user, _)| *user)
            .collect()
    }

    fn note_typing(&mut self, room: i64, now: Timestamp) {
        self.seq += 1;
        self.typing_changed.insert(room, (self.seq, now));
        if self.typing_changed.len() > MOST_ROOMS {
            // A client that has not seen what is forgotten is told how it is now, once.
            self.forgotten = self.seq - MOST_ROOMS as u64 / 2;
            let forgotten = self.forgotten;
            self.typing_changed.retain(|_, (seq, _)| *seq > forgotten);
        }
    }

    fn note_presence(&mut self, user: i64, presence: Presence, source: Source) -> bool {
        let known = self.presence.get(&user);
        let same = known.is_some_and(
            |Known {
                 presence: known, ..
             }| { known.state == presence.state && known.status == presence.status },
        );
        let (seq, told_at) = match known {
            Some(known) if same => (known.seq, known.told_at),
            _ => {
                self.seq += 1;
                self.presence_changed = self.seq;
                (self.seq, presence.active_at)
            }
        };
        let told_at = match source {
            Source::Here => told_at,
            Source::Elsewhere => presence.active_at,
        };
        let known = Known {
            presence,
            seq,
            source,
            told_at,
        };
        self.presence.insert(user, known);
        !same
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
mod tests;

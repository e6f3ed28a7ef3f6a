//! What a user may see of a room: the memberships and history visibilities of all its time.

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    ops::{Range, RangeInclusive},
    sync::Arc,
};

use model::{
    event::Pdu,
    visibility::{Change, Sight, may_see, visibility_set_by},
};
use moka::sync::Cache;
use ruma::{
    OwnedUserId, UserId,
    events::room::{history_visibility::HistoryVisibility, member::MembershipState},
};
use store::{Reader, Snapshot, StoreError};

use MembershipState::{Ban, Invite, Join, Leave};

use crate::{Membership, Room, Rooms, StoredEvent, stored::open_rows};

const MEMBERSHIPS: &str = "SELECT ord, membership FROM state_changes \
     WHERE room = $1 AND type = 'm.room.member' AND state_key = $2 ORDER BY ord";

/// The same of all rooms that the user is in.
const MEMBERSHIPS_EVERYWHERE: &str = "SELECT s.room, s.ord, s.membership FROM memberships m \
     JOIN state_changes s ON s.room = m.room AND s.type = 'm.room.member' AND s.state_key = $2 \
     WHERE m.user_id = $1 AND m.membership = 'join' ORDER BY s.room, s.ord";

const VISIBILITIES: &str = "SELECT e.event_id, e.sealed, s.ord FROM state_changes s \
     JOIN events e ON e.event_id = s.event_id WHERE s.room = $1 \
     AND s.type = 'm.room.history_visibility' AND s.state_key = '' ORDER BY s.ord";

/// How many parts of a timeline one user may see apart from each other, in answers that are
/// gathered part by part.
const MOST_SIGHTS: usize = 32;

const FORGOTTEN: &str = "SELECT forgotten FROM memberships WHERE user_id = $1 AND room = $2";

/// What decides what one user sees of one room.
///
/// One who has forgotten the room stands to it as if they had never been there.
#[derive(Debug)]
pub struct History {
    user_id: OwnedUserId,
    memberships: Vec<(i64, MembershipState)>,
    visibilities: Visibilities,
}

/// The history visibilities of all of a room's time.
type Visibilities = Arc<[(i64, HistoryVisibility)]>;

/// Of how many members it is kept what they see of a room, and of how many rooms what anybody does.
const KEPT: u64 = 50_000;
const KEPT_ROOMS: u64 = 10_000;

/// From how many rooms on a user's memberships of all of them are read at once.
const MANY: usize = 4;

/// What members see of rooms, each as of the last change of the room's state.
pub(crate) struct Histories {
    kept: Cache<(i64, OwnedUserId), (i64, Arc<History>)>,
    visibilities: Cache<i64, (i64, Visibilities)>,
}

impl Histories {
    pub(crate) fn new() -> Self {
        Self {
            kept: Cache::new(KEPT),
            visibilities: Cache::new(KEPT_ROOMS),
        }
    }

    pub(crate) fn forget_all(&self) {
        self.kept.invalidate_all();
        self.visibilities.invalidate_all();
    }

    fn get(&self, room: i64, user_id: &UserId, state_pos: i64) -> Option<Arc<History>> {
        let (as_of, history) = self.kept.get(&(room, user_id.to_owned()))?;
        (as_of == state_pos).then_some(history)
    }

    fn keep(&self, room: i64, state_pos: i64, history: &Arc<History>) {
        // Whether one who has left forgets the room is no change of its state.
        if matches!(history.latest(), Some((_, Join))) {
            let key = (room, history.user_id.clone());
            self.kept.insert(key, (state_pos, Arc::clone(history)));
        }
    }
}

impl Rooms {
    /// What decides what a user sees of a room, in a snapshot in which the room's state changed
    /// last at `state_pos`: from memory, if it was read since then.
    pub async fn history_as_of(
        &self,
        snapshot: &Snapshot,
        room: &Room,
        user_id: &UserId,
        state_pos: i64,
    ) -> Result<Arc<History>, StoreError> {
        if let Some(history) = self.histories().get(room.room, user_id, state_pos) {
            return Ok(history);
        }
        let memberships = self.memberships_in(snapshot, room, user_id).await?;
        let history = Arc::new(History {
            user_id: user_id.to_owned(),
            memberships,
            visibilities: self.visibilities_as_of(snapshot, room, state_pos).await?,
        });
        self.histories().keep(room.room, state_pos, &history);
        Ok(history)
    }

    /// Reads the same of all rooms that a user is in, for one who is told of all of them.
    pub async fn gather_histories(
        &self,
        snapshot: &Snapshot,
        (user, user_id): (i64, &UserId),
        memberships: &[Membership],
    ) -> Result<(), StoreError> {
        let missing = memberships.iter().filter(|one| {
            let known = || self.histories().get(one.room, user_id, one.state_pos);
            one.membership == Join && known().is_none()
        });
        let missing: Vec<_> = missing.collect();
        if missing.len() < MANY {
            return Ok(());
        }
        let params = [user.into(), user_id.as_str().into()];
        let mut by_room: HashMap<i64, Vec<(i64, MembershipState)>> = HashMap::new();
        for row in snapshot.query(MEMBERSHIPS_EVERYWHERE, &params).await? {
            let membership = row.opt_text(2)?.unwrap_or("leave").into();
            let of_room = by_room.entry(row.int(0)?).or_default();
            of_room.push((row.int(1)?, membership));
        }
        for one in missing {
            let Some(room) = self.room_by_number(snapshot, one.room).await? else {
                continue;
            };
            let visibilities = self.visibilities_as_of(snapshot, &room, one.state_pos);
            let history = Arc::new(History {
                user_id: user_id.to_owned(),
                visibilities: visibilities.await?,
                memberships: by_room.remove(&one.room).unwrap_or_default(),
            });
            self.histories().keep(one.room, one.state_pos, &history);
        }
        Ok(())
    }

    /// Reads what decides what a user sees of a room.
    pub async fn history(
        &self,
        reader: &Reader,
        room: &Room,
        user_id: &UserId,
    ) -> Result<History, StoreError> {
        Ok(History {
            user_id: user_id.to_owned(),
            memberships: self.memberships_in(reader, room, user_id).await?,
            visibilities: self.visibilities(reader, room).await?,
        })
    }

    /// A user's memberships in a room, unless they have forgotten it.
    async fn memberships_in(
        &self,
        reader: &Reader,
        room: &Room,
        user_id: &UserId,
    ) -> Result<Vec<(i64, MembershipState)>, StoreError> {
        let params = [room.room.into(), user_id.as_str().into()];
        let rows = reader.query(MEMBERSHIPS, &params).await?;
        let mut memberships = Vec::with_capacity(rows.len());
        for row in rows {
            memberships.push((row.int(0)?, row.opt_text(1)?.unwrap_or("leave").into()));
        }
        let forgotten = self.has_forgotten(reader, room, user_id, &memberships);
        if forgotten.await? {
            memberships.clear();
        }
        Ok(memberships)
    }

    async fn visibilities_as_of(
        &self,
        snapshot: &Snapshot,
        room: &Room,
        state_pos: i64,
    ) -> Result<Visibilities, StoreError> {
        let kept = &self.histories().visibilities;
        if let Some((as_of, visibilities)) = kept.get(&room.room)
            && as_of == state_pos
        {
            return Ok(visibilities);
        }
        let visibilities = self.visibilities(snapshot, room).await?;
        kept.insert(room.room, (state_pos, Arc::clone(&visibilities)));
        Ok(visibilities)
    }

    async fn visibilities(&self, reader: &Reader, room: &Room) -> Result<Visibilities, StoreError> {
        let rows = reader.query(VISIBILITIES, &[room.room.into()]).await?;
        let pdus = open_rows(reader, self.keyring(), room.rules(), &rows).await?;
        let mut visibilities = Vec::with_capacity(rows.len());
        for (row, pdu) in rows.iter().zip(pdus) {
            visibilities.push((row.int(2)?, visibility_set_by(Some(&pdu))));
        }
        Ok(visibilities.into())
    }

    /// Whether a user who has left has forgotten the room: then they are a stranger to it.
    async fn has_forgotten(
        &self,
        reader: &Reader,
        room: &Room,
        user_id: &UserId,
        memberships: &[(i64, MembershipState)],
    ) -> Result<bool, StoreError> {
        if !matches!(memberships.last(), Some((_, Leave | Ban))) {
            return Ok(false);
        }
        let Some(user) = self.names().user(reader, user_id.as_str()).await? else {
            return Ok(false);
        };
        let params = [user.into(), room.room.into()];
        let row = reader.query_opt(FORGOTTEN, &params).await?;
        row.map_or(Ok(false), |row| row.flag(0))
    }
}

impl History {
    /// Whether the user may see an event.
    pub fn shows(&self, event: &StoredEvent) -> bool {
        self.shows_at(&event.pdu, event.ord)
    }

    fn shows_at(&self, pdu: &Pdu, ord: i64) -> bool {
        let joined_later = self
            .memberships
            .iter()
            .any(|(at, membership)| *at > ord && *membership == MembershipState::Join);
        let change = match Change::of(pdu, &self.user_id) {
            // Forgotten: it is as if another's.
            Change::OwnMembership(_) if !self.is_known() => Change::Nothing,
            change => change,
        };
        may_see(&Sight {
            visibility: self.visibility_before(ord),
            membership: self.membership_before(ord),
            change,
            joined_later,
        })
    }

    /// The user's membership in the state before a place in the timeline.
    pub fn membership_before(&self, ord: i64) -> MembershipState {
        before(&self.memberships, ord)
            .cloned()
            .unwrap_or(MembershipState::Leave)
    }

    /// Whether the user ever had to do with the room.
    pub fn is_known(&self) -> bool {
        !self.memberships.is_empty()
    }

    /// Whether the user joined at a place behind `ord`.
    pub fn was_joined_after(&self, ord: i64) -> bool {
        let mut later = self.memberships.iter().filter(|(at, _)| *at > ord);
        later.any(|(_, membership)| *membership == MembershipState::Join)
    }

    /// Where the user's latest membership began, and what it is.
    pub fn latest(&self) -> Option<(i64, &MembershipState)> {
        self.memberships
            .last()
            .map(|(ord, membership)| (*ord, membership))
    }

    /// The newest part of the timeline before `ord` of whose events the user was notified, as far
    /// as their rules wanted it: what was said while they were in, or the invitation that they got.
    pub fn notified_before(&self, ord: i64) -> Option<RangeInclusive<i64>> {
        let begins = self.memberships.iter();
        let ends = self.memberships.iter().skip(1).map(|(end, _)| *end);
        let mut newest = None;
        for ((begin, membership), end) in begins.zip(ends.chain([i64::MAX])) {
            let (first, last) = match membership {
                Join => (begin.saturating_add(1), end),
                Invite => (*begin, *begin),
                _ => continue,
            };
            if first >= ord || first > last {
                continue;
            }
            newest = match newest {
                // Another name, for instance: they were in before and after it.
                Some((since, until)) if until >= first - 1 => Some((since, last)),
                _ => Some((first, last)),
            };
        }
        newest.map(|(first, last)| first..=last.min(ord - 1))
    }

    /// Whether anybody may read the room as it is now.
    pub fn is_world_readable_now(&self) -> bool {
        self.visibilities
            .last()
            .is_some_and(|(_, visibility)| *visibility == HistoryVisibility::WorldReadable)
    }

    /// The place before which the user reads the room's state: the end, or where they left.
    ///
    /// `None` when they may not read it at all.
    pub fn state_before(&self) -> Option<i64> {
        if self.is_world_readable_now() {
            return Some(i64::MAX);
        }
        self.left_before()
    }

    /// The place before which the user was in the room: the end, or where they left.
    ///
    /// `None` when they never were.
    pub fn left_before(&self) -> Option<i64> {
        let joined = self
            .memberships
            .iter()
            .rposition(|(_, state)| *state == Join)?;
        // As it stood when they left, their own leaving included; what came after that, such as
        // a ban or another invitation, opens no more of it.
        let left = self.memberships.get(joined + 1);
        Some(left.map_or(i64::MAX, |(ord, _)| ord.saturating_add(1)))
    }

    /// The place from which on the user sees nothing; the end when they may.
    pub(crate) fn sees_before(&self) -> i64 {
        let ever_open = self
            .visibilities
            .iter()
            .any(|(_, visibility)| *visibility == HistoryVisibility::WorldReadable);
        match self.latest() {
            _ if ever_open => i64::MAX,
            None => i64::MIN,
            Some((left, Leave | Ban)) => left.saturating_add(1),
            Some(_) => i64::MAX,
        }
    }

    /// Whether the user may see an event at this place that changes nothing of what decides.
    pub(crate) fn sees(&self, ord: i64) -> bool {
        may_see(&Sight {
            visibility: self.visibility_before(ord),
            membership: self.membership_before(ord),
            change: Change::Nothing,
            joined_later: self.was_joined_after(ord),
        })
    }

    /// The parts of the timeline whose messages the user may see, newest first.
    ///
    /// Most have one; of somebody who came and went more often than 32 times, the oldest are left
    /// out.
    pub fn sights(&self) -> Vec<Range<i64>> {
        let turns = self.turns();
        let begins = turns.iter().map(|turn| turn.saturating_add(1));
        let begins = [i64::MIN].into_iter().chain(begins);
        let ends = turns.iter().copied().chain([i64::MAX]);
        let parts: Vec<_> = begins.zip(ends).map(|(begin, end)| begin..end).collect();
        let mut sights: Vec<Range<i64>> = Vec::new();
        for part in parts.into_iter().rev() {
            if !self.sees(part.start) {
                continue;
            }
            let is_full = sights.len() == MOST_SIGHTS;
            match sights.last_mut() {
                // What stands between them is a change of state, and no message.
                Some(later) if later.start == part.end.saturating_add(1) => {
                    later.start = part.start;
                }
                _ if is_full => break,
                _ => sights.push(part),
            }
        }
        sights
    }

    /// The events by which what the user may see can change, in order.
    fn turns(&self) -> Vec<i64> {
        let memberships = self.memberships.iter().map(|(ord, _)| *ord);
        let visibilities = self.visibilities.iter().map(|(ord, _)| *ord);
        let mut turns: Vec<i64> = memberships.chain(visibilities).collect();
        turns.sort_unstable();
        turns.dedup();
        turns
    }

    /// The first place at `ord` or behind it where there may be something to see.
    pub(crate) fn next_sight(&self, ord: i64) -> Option<i64> {
        let turns = self.turns();
        let next = turns
            .get(turns.partition_point(|turn| *turn < ord))
            .copied();
        if self.sees(ord) { Some(ord) } else { next }
    }

    /// The last place before `ord` where there may be something to see.
    pub(crate) fn last_sight(&self, ord: i64) -> Option<i64> {
        let last = ord.checked_sub(1)?;
        let turns = self.turns();
        let before = turns.partition_point(|turn| *turn <= last).checked_sub(1);
        match self.sees(last) {
            true => Some(last),
            false => before.map(|index| turns[index]),
        }
    }

    fn visibility_before(&self, ord: i64) -> HistoryVisibility {
        before(&self.visibilities, ord)
            .cloned()
            .unwrap_or(HistoryVisibility::Shared)
    }
}

fn before<T>(changes: &[(i64, T)], ord: i64) -> Option<&T> {
    let later = changes.partition_point(|(at, _)| *at < ord);
    later.checked_sub(1).map(|index| &changes[index].1)
}

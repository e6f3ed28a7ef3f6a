//! Finding: candidates in the order that is wanted, judged until a page is full.

use std::{cmp::Reverse, sync::Arc};

use ruma::UserId;
use store::{Snapshot, StoreError};
use tokio::sync::OwnedSemaphorePermit;

use crate::{
    Criteria, Group, Hit, Order, PageToken, Search,
    candidates::{Candidate, Candidates, Gathering},
    judge::Judge,
};

/// In how many rooms a search looks, at most: the liveliest.
const MOST_ROOMS: usize = 1_000;

/// How many candidates are judged for one page, how many at once, and how much text is read for
/// it: what does not fit must not make one request read everything.
const MOST_JUDGED: usize = 1_024;
const FEWEST_AT_ONCE: usize = 8;
const MOST_AT_ONCE: usize = 64;
const MOST_BYTES: usize = 4 * 1_024 * 1_024;

/// A page of results.
pub struct Found {
    /// The moment at which they were read. Read what is told beside them here, too.
    pub snapshot: Arc<Snapshot>,
    /// The events that were found, in the order that was wanted.
    pub hits: Vec<Hit>,
    /// About how many there are in all.
    pub count: u64,
    /// Where the next page begins, if there may be one. A page can have fewer events than there
    /// are, or none.
    pub next: Option<PageToken>,
    /// Until all is told.
    _turn: Option<OwnedSemaphorePermit>,
}

impl Search {
    /// Finds what a user may see, in rooms that they are in or were in and did not forget.
    pub async fn find(
        &self,
        user: i64,
        user_id: &UserId,
        criteria: &Criteria,
    ) -> Result<Found, StoreError> {
        let inner = &self.inner;
        let ignored = inner.accounts.ignored_users(user).await?;
        // The semaphore is never closed.
        let turn = Arc::clone(&inner.turns).acquire_owned().await.ok();
        let snapshot = inner.rooms.snapshot().await?;
        let epoch = snapshot.epoch();
        let until = until(&snapshot, criteria).await?;
        let mut candidates = Candidates::default();
        if !criteria.wanted.is_empty() {
            let rooms = self.rooms_of(&snapshot, user, criteria).await?;
            let gathering = Gathering {
                search: self,
                snapshot: &snapshot,
                user_id,
            };
            candidates = gathering.gather(&rooms, criteria, until).await?;
        }
        let known = criteria.from.as_ref().map(|from| from.count);
        let count = known.unwrap_or(candidates.list.len() as u64);
        let rest = candidates.rest;
        put_in_order(&mut candidates.list, criteria);
        let judge = Judge {
            rooms: &inner.rooms,
            snapshot: &snapshot,
            user,
            ignored: &ignored,
            criteria,
        };
        let (hits, last) = page(&judge, &candidates, criteria.limit).await?;
        let group = criteria.from.as_ref().and_then(|from| from.group.clone());
        let token = |until, after| PageToken {
            epoch,
            until,
            after,
            count,
            group: group.clone(),
        };
        let next = match (last, criteria.order) {
            (Some(last), Order::Recent) => Some(token(last.ord, None)),
            (Some(last), Order::Rank) => Some(token(until, Some((last.weight, last.ord)))),
            (None, _) => rest.map(|rest| token(rest, None)),
        };
        let is_all = known.is_none() && next.is_none();
        Ok(Found {
            count: if is_all { hits.len() as u64 } else { count },
            snapshot: Arc::new(snapshot),
            hits,
            next,
            _turn: turn,
        })
    }

    /// The rooms in which a user's search looks, the liveliest first.
    async fn rooms_of(
        &self,
        snapshot: &Snapshot,
        user: i64,
        criteria: &Criteria,
    ) -> Result<Vec<i64>, StoreError> {
        let rooms = &self.inner.rooms;
        let group = criteria.from.as_ref().and_then(|from| from.group.as_ref());
        let mut memberships = rooms.memberships(snapshot, user).await?;
        memberships.retain(|membership| !membership.forgotten);
        memberships.sort_unstable_by_key(|membership| Reverse(membership.last_pos));
        let mut wanted = Vec::new();
        for membership in memberships {
            let room_id = rooms.room_id(snapshot, membership.room).await?;
            let is_of_group = match group {
                Some(Group::Room(room)) => *room == room_id,
                _ => true,
            };
            if is_of_group && criteria.filter.matches_room(&room_id) {
                wanted.push(membership.room);
            }
            if wanted.len() == MOST_ROOMS {
                break;
            }
        }
        Ok(wanted)
    }
}

/// The place before which results are wanted: everything there is now, on the first page.
async fn until(snapshot: &Snapshot, criteria: &Criteria) -> Result<i64, StoreError> {
    let now = snapshot.head().get().saturating_add(1);
    let Some(from) = &criteria.from else {
        return Ok(now);
    };
    if from.epoch == snapshot.epoch() {
        return Ok(from.until);
    }
    let common = snapshot.common_history(from.epoch).await?.get();
    Ok(from.until.min(common.saturating_add(1)))
}

/// Puts candidates in the order that is wanted, without those that were told before.
fn put_in_order(candidates: &mut Vec<Candidate>, criteria: &Criteria) {
    if criteria.order == Order::Recent {
        return;
    }
    let place = |candidate: &Candidate| (candidate.weight, candidate.ord);
    candidates.sort_unstable_by_key(|candidate| Reverse(place(candidate)));
    if let Some(after) = criteria.from.as_ref().and_then(|from| from.after) {
        candidates.retain(|candidate| place(candidate) < after);
    }
}

/// The first results, and the last candidate that was looked at, if there are more behind it.
async fn page(
    judge: &Judge<'_>,
    candidates: &Candidates,
    limit: usize,
) -> Result<(Vec<Hit>, Option<Candidate>), StoreError> {
    let mut hits = Vec::new();
    let (mut judged, mut bytes) = (0, 0);
    let list = &candidates.list;
    let at_once = limit.clamp(FEWEST_AT_ONCE, MOST_AT_ONCE);
    for part in list.chunks(at_once) {
        let (mut found, read) = judge.judge(part, &candidates.sights).await?;
        bytes += read;
        for candidate in part {
            judged += 1;
            hits.extend(found.remove(&candidate.ord));
            if hits.len() == limit {
                let more = judged < list.len() || candidates.rest.is_some();
                return Ok((hits, more.then_some(*candidate)));
            }
        }
        if judged >= MOST_JUDGED || bytes >= MOST_BYTES {
            let more = judged < list.len();
            return Ok((hits, part.last().copied().filter(|_| more)));
        }
    }
    Ok((hits, None))
}

//! [`Directory`]: what others ask of this crate.

use std::{
    cmp::Ordering,
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use accounts::{
    Accounts,
    people::{People, Person},
};
use rooms::Rooms;
use ruma::OwnedUserId;
use store::StoreError;

use crate::{
    matching::{Match, Term},
    sight::seen_by,
};

/// Finds people. Cheap to clone.
#[derive(Clone)]
pub struct Directory {
    accounts: Accounts,
    rooms: Rooms,
}

/// The people that a search found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The best first.
    pub people: Vec<Arc<Person>>,
    /// Whether there are more.
    pub limited: bool,
}

impl Directory {
    /// Puts it together over the owners of names and memberships.
    pub fn new(accounts: Accounts, rooms: Rooms) -> Self {
        Self { accounts, rooms }
    }

    /// Finds the people who are called like this, among those who share a room with the user or
    /// are in a room that anybody may join or read; not the user, nor whom the user ignores.
    pub async fn search(&self, user: i64, term: &str, limit: usize) -> Result<Found, StoreError> {
        let snapshot = self.rooms.snapshot().await?;
        let people = self.accounts.people(&snapshot).await?;
        let ignored = self.accounts.ignored_users(user).await?;
        let matching = matching(&Term::new(term), user, &people, &ignored);
        let seen = seen_by(user, ids(&matching), &self.rooms, &snapshot).await?;
        Ok(best(matching, &seen, limit))
    }
}

fn matching(
    term: &Term,
    user: i64,
    people: &People,
    ignored: &BTreeSet<OwnedUserId>,
) -> Vec<Match> {
    term.among(people, |number, person| {
        number != user && !ignored.contains(&person.user_id)
    })
}

fn ids(matching: &[Match]) -> HashSet<OwnedUserId> {
    let ids = matching.iter().map(|(_, person)| person.user_id.clone());
    ids.collect()
}

fn best(mut matching: Vec<Match>, seen: &HashSet<OwnedUserId>, limit: usize) -> Found {
    matching.retain(|(_, person)| seen.contains(&person.user_id));
    matching.sort_unstable_by(before);
    let limited = matching.len() > limit;
    let best = matching.into_iter().take(limit);
    Found {
        people: best.map(|(_, person)| person).collect(),
        limited,
    }
}

/// By rank; then those who are called something, in the order of what they are called.
fn before((rank, one): &Match, (other_rank, other): &Match) -> Ordering {
    let key = |person: &Person| person.folded_name.is_empty();
    rank.cmp(other_rank)
        .then_with(|| key(one).cmp(&key(other)))
        .then_with(|| one.folded_name.cmp(&other.folded_name))
        .then_with(|| one.user_id.cmp(&other.user_id))
}

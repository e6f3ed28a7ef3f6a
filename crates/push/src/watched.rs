//! Who has pushers, and which: known in memory by the node that does the work.

use std::collections::HashMap;

use pushers::Pushers;
use ruma::{OwnedUserId, UserId, api::client::push::PusherKind};
use store::{Snapshot, StoreError};

use crate::push::Inner;

/// The people with pushers.
#[derive(Default)]
pub(crate) struct Watched {
    people: HashMap<i64, Person>,
    by_name: HashMap<OwnedUserId, i64>,
    /// Rises whenever somebody comes or goes.
    pub(crate) version: u64,
}

/// Somebody with pushers.
pub(crate) struct Person {
    pub(crate) user_id: OwnedUserId,
    pub(crate) pushers: Vec<Known>,
}

/// A pusher.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    /// Its number, which is the position at which it was made.
    pub(crate) id: i64,
    /// Whether it sends mails.
    pub(crate) by_mail: bool,
}

impl Watched {
    /// Reads who has pushers.
    pub(crate) async fn load(inner: &Inner, snapshot: &Snapshot) -> Result<Self, StoreError> {
        let mut watched = Self::default();
        let mut after = 0;
        loop {
            let page = inner.pushers.users(snapshot, after).await?;
            let Some(last) = page.last() else {
                return Ok(watched);
            };
            after = *last;
            for user in page {
                watched.reload(inner, snapshot, user).await?;
            }
        }
    }

    /// Reads the pushers of one person again; gives those that are gone.
    pub(crate) async fn reload(
        &mut self,
        inner: &Inner,
        snapshot: &Snapshot,
        user: i64,
    ) -> Result<Vec<Known>, StoreError> {
        let pushers: &Pushers = &inner.pushers;
        let pushers = pushers.of_user(snapshot, user).await?;
        let known = pushers.into_iter().map(|pusher| Known {
            id: pusher.id,
            by_mail: matches!(pusher.pusher.kind, PusherKind::Email(_)),
        });
        let pushers: Vec<Known> = known.collect();
        let mut gone = self
            .person(user)
            .map_or(Vec::new(), |person| person.pushers.clone());
        gone.retain(|before| !pushers.iter().any(|now| now.id == before.id));
        let was_there = self.people.contains_key(&user);
        if was_there == pushers.is_empty() {
            self.version += 1;
        }
        if pushers.is_empty() {
            if let Some(person) = self.people.remove(&user) {
                self.by_name.remove(&person.user_id);
            }
            return Ok(gone);
        }
        let user_id = inner.rooms.user_id(snapshot, user).await?;
        self.by_name.insert(user_id.clone(), user);
        self.people.insert(user, Person { user_id, pushers });
        Ok(gone)
    }

    pub(crate) fn person(&self, user: i64) -> Option<&Person> {
        self.people.get(&user)
    }

    pub(crate) fn by_name(&self, user_id: &UserId) -> Option<i64> {
        self.by_name.get(user_id).copied()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.people.is_empty()
    }
}

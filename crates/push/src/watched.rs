//! Who has pushers, and which: known in memory by the node that does the work.

use std::collections::HashMap;

use pushers::Pushers;
use ruma::{OwnedUserId, UserId};
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
    /// The numbers of their pushers, which are the positions at which these were made.
    pub(crate) pushers: Vec<i64>,
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

    /// Reads the pushers of one person again.
    pub(crate) async fn reload(
        &mut self,
        inner: &Inner,
        snapshot: &Snapshot,
        user: i64,
    ) -> Result<(), StoreError> {
        let pushers: &Pushers = &inner.pushers;
        let pushers = pushers.of_user(snapshot, user).await?;
        let pushers: Vec<i64> = pushers.into_iter().map(|pusher| pusher.id).collect();
        let was_there = self.people.contains_key(&user);
        if was_there == pushers.is_empty() {
            self.version += 1;
        }
        if pushers.is_empty() {
            if let Some(gone) = self.people.remove(&user) {
                self.by_name.remove(&gone.user_id);
            }
            return Ok(());
        }
        let user_id = inner.rooms.user_id(snapshot, user).await?;
        self.by_name.insert(user_id.clone(), user);
        self.people.insert(user, Person { user_id, pushers });
        Ok(())
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

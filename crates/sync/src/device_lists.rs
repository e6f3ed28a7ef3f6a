//! Whose keys a client must ask for again, and whose it may forget.

use std::collections::BTreeSet;

use rooms::Membership;
use ruma::{UserId, events::room::member::MembershipState};
use store::{Pos, Snapshot, StoreError};

use crate::{response::DeviceLists, sync::Inner};

/// From how many people on all who share a room are read at once, instead of each alone.
const MANY: usize = 32;

/// One user, and the part of the log's time that is asked for: after `after`, up to `until`.
pub(crate) struct Window<'a> {
    pub(crate) inner: &'a Inner,
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) user: i64,
    pub(crate) user_id: &'a UserId,
    pub(crate) after: i64,
    pub(crate) until: i64,
}

/// What happened in a window.
#[derive(Default)]
pub(crate) struct Changes {
    pub(crate) lists: DeviceLists,
    /// Who came to share a room with the user.
    pub(crate) met: BTreeSet<i64>,
}

/// Who came to a room that the user is in, and who went, or was left there.
#[derive(Default)]
struct Traffic {
    met: BTreeSet<i64>,
    parted: BTreeSet<i64>,
}

impl Window<'_> {
    /// What became of other people's devices: changed where they share a room with the user, or
    /// newly share one; left where they shared one and no longer do.
    ///
    /// Whether they share one is asked of the present: who has parted since will be told so.
    pub(crate) async fn changes(&self, memberships: &[Membership]) -> Result<Changes, StoreError> {
        if self.until <= self.after {
            return Ok(Changes::default());
        }
        let mut traffic = Traffic::default();
        for membership in memberships {
            if membership.last_pos > self.after {
                self.in_room(membership, &mut traffic).await?;
            }
        }
        let Traffic {
            mut met,
            mut parted,
        } = traffic;
        met.remove(&self.user);
        let (after, until) = (Pos::new(self.after), Pos::new(self.until));
        let keys = &self.inner.keys;
        let changed = keys.changed_users(self.snapshot, self.user, after, until);
        let mut changed: BTreeSet<i64> = changed.await?.into_iter().collect();
        let own = changed.contains(&self.user);
        changed.extend(&met);
        let mut asked = changed.clone();
        asked.extend(&parted);
        let sharing = self.inner.sharing(self.snapshot, self.user, asked).await?;
        changed.retain(|user| sharing.contains(user));
        if own {
            changed.insert(self.user);
        }
        parted.retain(|user| !sharing.contains(user) && *user != self.user);
        let mut lists = DeviceLists::default();
        for user in changed {
            let user = self.inner.rooms.user_id(self.snapshot, user).await?;
            lists.changed.push(user);
        }
        for user in parted {
            let user = self.inner.rooms.user_id(self.snapshot, user).await?;
            lists.left.push(user);
        }
        let met = met.intersection(&sharing).copied().collect();
        Ok(Changes { lists, met })
    }

    /// Who came and who went in one room, as far as the user was or is in it.
    async fn in_room(
        &self,
        membership: &Membership,
        traffic: &mut Traffic,
    ) -> Result<(), StoreError> {
        let room = membership.room;
        let was_in = self.was_in(membership, self.after).await?;
        let is_in = self.was_in(membership, self.until).await?;
        if !was_in && !is_in {
            return Ok(());
        }
        let rooms = &self.inner.rooms;
        if is_in && !was_in {
            let joined = rooms.joined_users(self.snapshot, room).await?;
            traffic.met.extend(joined);
        }
        if was_in && !is_in {
            let joined = rooms.joined_users(self.snapshot, room).await?;
            traffic.parted.extend(joined);
        }
        let changes = rooms
            .membership_changes(self.snapshot, room, self.after, self.until)
            .await?;
        for (name, membership) in changes {
            let Some(user) = self.interned(&name).await? else {
                continue;
            };
            match membership {
                MembershipState::Join if is_in => drop(traffic.met.insert(user)),
                MembershipState::Join => {}
                _ if was_in => drop(traffic.parted.insert(user)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether the user was in a room at a position.
    async fn was_in(&self, membership: &Membership, pos: i64) -> Result<bool, StoreError> {
        // Nothing has changed since.
        if membership.pos <= pos {
            return Ok(membership.membership == MembershipState::Join);
        }
        let rooms = &self.inner.rooms;
        let then = rooms.membership_at(self.snapshot, membership.room, self.user_id, pos);
        Ok(then.await? == MembershipState::Join)
    }

    async fn interned(&self, name: &str) -> Result<Option<i64>, StoreError> {
        if UserId::parse(name).is_err() {
            return Ok(None);
        }
        self.inner.names().user(self.snapshot, name).await
    }
}

impl Inner {
    /// Those of `asked` who are in a room that the user is in, now.
    pub(crate) async fn sharing(
        &self,
        snapshot: &Snapshot,
        user: i64,
        mut asked: BTreeSet<i64>,
    ) -> Result<BTreeSet<i64>, StoreError> {
        if asked.len() >= MANY {
            let all = self.rooms.sharing_users(snapshot, user).await?;
            return Ok(all
                .into_iter()
                .filter(|user| asked.contains(user))
                .collect());
        }
        for other in asked.clone() {
            if !self.rooms.share_a_room(snapshot, user, other).await? {
                asked.remove(&other);
            }
        }
        Ok(asked)
    }
}

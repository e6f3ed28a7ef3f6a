//! Whose keys a client must ask for again, and whose it may forget.

use std::collections::BTreeSet;

use rooms::Membership;
use ruma::{UserId, events::room::member::MembershipState};
use store::{Pos, Snapshot, StoreError};

use crate::{
    reading::user_id,
    response::DeviceLists,
    sync::{Inner, Syncer},
};

/// What became of other people's devices after `since`: changed where they share a room with
/// the reader, or newly share one; left where they shared one and no longer do.
pub(crate) async fn changes(
    inner: &Inner,
    snapshot: &Snapshot,
    syncer: Syncer<'_>,
    memberships: &[Membership],
    since: i64,
) -> Result<DeviceLists, StoreError> {
    let head = snapshot.head();
    let mut met = BTreeSet::new();
    let mut parted = BTreeSet::new();
    for membership in memberships
        .iter()
        .filter(|membership| membership.last_pos > since)
    {
        let changed = Changed {
            inner,
            snapshot,
            syncer,
            since,
        };
        changed.in_room(membership, &mut met, &mut parted).await?;
    }
    let sharing: BTreeSet<i64> = inner
        .rooms
        .sharing_users(snapshot, syncer.user)
        .await?
        .into_iter()
        .collect();
    let mut changed: BTreeSet<i64> = inner
        .keys
        .changed_users(snapshot, syncer.user, Pos::new(since), head)
        .await?
        .into_iter()
        .filter(|user| *user == syncer.user || sharing.contains(user))
        .collect();
    changed.extend(met.iter().filter(|user| sharing.contains(user)));
    let mut lists = DeviceLists::default();
    for user in changed {
        lists.changed.push(user_id(inner, snapshot, user).await?);
    }
    for user in parted
        .into_iter()
        .filter(|user| !sharing.contains(user) && *user != syncer.user)
    {
        lists.left.push(user_id(inner, snapshot, user).await?);
    }
    Ok(lists)
}

struct Changed<'a> {
    inner: &'a Inner,
    snapshot: &'a Snapshot,
    syncer: Syncer<'a>,
    since: i64,
}

impl Changed<'_> {
    /// Who came and who went in one room, as far as the reader was or is in it.
    async fn in_room(
        &self,
        membership: &Membership,
        met: &mut BTreeSet<i64>,
        parted: &mut BTreeSet<i64>,
    ) -> Result<(), StoreError> {
        let rooms = &self.inner.rooms;
        let (room, own) = (membership.room, self.syncer.user_id);
        let before = rooms
            .membership_at(self.snapshot, room, own, self.since)
            .await?;
        let was_in = before == MembershipState::Join;
        let is_in = membership.membership == MembershipState::Join;
        if is_in && !was_in {
            met.extend(rooms.joined_users(self.snapshot, room).await?);
        }
        if was_in && !is_in {
            parted.extend(rooms.joined_users(self.snapshot, room).await?);
        }
        let head = self.snapshot.head().get();
        let changes = rooms
            .membership_changes(self.snapshot, room, self.since, head)
            .await?;
        for (name, membership) in changes {
            let Some(user) = self.interned(&name).await? else {
                continue;
            };
            match membership {
                MembershipState::Join if is_in => drop(met.insert(user)),
                MembershipState::Join => {}
                _ if was_in => drop(parted.insert(user)),
                _ => {}
            }
        }
        Ok(())
    }

    async fn interned(&self, name: &str) -> Result<Option<i64>, StoreError> {
        if UserId::parse(name).is_err() {
            return Ok(None);
        }
        self.inner.names().user(self.snapshot, name).await
    }
}

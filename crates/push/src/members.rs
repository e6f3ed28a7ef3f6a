//! Which of a room's members have pushers: read once, until somebody comes or goes.

use std::sync::Arc;

use moka::sync::Cache;
use rooms::Room;
use store::{Pos, Snapshot, StoreError};

use crate::{push::Inner, watched::Watched};

/// How many members of rooms are kept, together.
const CACHED: u64 = 2_000_000;

/// The members with pushers, by room.
pub(crate) struct Members {
    rooms: Cache<i64, Kept>,
}

#[derive(Clone)]
struct Kept {
    state_pos: Pos,
    version: u64,
    members: Arc<[Member]>,
}

/// A joined member with pushers.
#[derive(Clone, Copy)]
pub(crate) struct Member {
    pub(crate) user: i64,
    /// Where in the log their membership is what it is since.
    pub(crate) since: i64,
}

impl Members {
    pub(crate) fn new() -> Self {
        let cache = Cache::builder().max_capacity(CACHED);
        let weight = |kept: &Kept| u32::try_from(kept.members.len()).unwrap_or(u32::MAX);
        Self {
            rooms: cache
                .weigher(move |_, kept| weight(kept).saturating_add(1))
                .build(),
        }
    }

    /// Those of a room as the snapshot has it.
    pub(crate) async fn of(
        &self,
        inner: &Inner,
        snapshot: &Snapshot,
        room: &Room,
        watched: &Watched,
    ) -> Result<Arc<[Member]>, StoreError> {
        let stands =
            |kept: &Kept| kept.state_pos == room.state_pos() && kept.version == watched.version;
        if let Some(kept) = self.rooms.get(&room.room).filter(stands) {
            return Ok(kept.members);
        }
        let joined = inner.rooms.joined_since(snapshot, room.room).await?;
        let members = joined
            .into_iter()
            .filter(|(user, _)| watched.person(*user).is_some());
        let members: Arc<[Member]> = members
            .map(|(user, since)| Member { user, since })
            .collect();
        let kept = Kept {
            state_pos: room.state_pos(),
            version: watched.version,
            members: Arc::clone(&members),
        };
        // A room that is newer in memory than the snapshot is read again.
        if room.state_pos() <= snapshot.head() {
            self.rooms.insert(room.room, kept);
        }
        Ok(members)
    }
}

//! The public directory: the published rooms, largest first, page by page.

use std::{cmp::Reverse, sync::Arc};

use futures_util::future::try_join_all;
use moka::sync::Cache;
use ruma::{
    OwnedMxcUri, OwnedRoomAliasId, OwnedRoomId,
    directory::RoomTypeFilter,
    events::room::history_visibility::HistoryVisibility,
    room::{JoinRuleKind, RoomType},
};
use store::{Pos, Snapshot, StoreError};

use crate::{Room, Rooms};

/// How much memory parsed listings may take, about.
const LISTINGS_BYTES: u64 = 32 * 1024 * 1024;

/// What a listing takes beside its texts, about.
const LISTING_BYTES: usize = 512;

/// How many rooms are read at once when their listings are not in memory.
const READ_AT_ONCE: usize = 16;

const PUBLISHED: &str = "SELECT room, state_pos FROM rooms WHERE published = 1";

const OF_NETWORK: &str = "SELECT r.room, r.state_pos FROM network_rooms n \
     JOIN rooms r ON r.room = n.room WHERE n.network = $1";

const OF_ALL: &str = "SELECT room, state_pos FROM rooms WHERE published = 1 UNION \
     SELECT r.room, r.state_pos FROM network_rooms n JOIN rooms r ON r.room = n.room";

/// A room as the directory shows it.
#[derive(Debug)]
pub struct Listing {
    /// The room's id.
    pub room_id: OwnedRoomId,
    /// Its name.
    pub name: Option<String>,
    /// Its topic in plain text.
    pub topic: Option<String>,
    /// Its main alias.
    pub canonical_alias: Option<OwnedRoomAliasId>,
    /// Its picture.
    pub avatar_url: Option<OwnedMxcUri>,
    /// Who may join.
    pub join_rule: JoinRuleKind,
    /// How many members are joined.
    pub joined: u64,
    /// Whether guests may join.
    pub guests_may_join: bool,
    /// Whether anybody may read it.
    pub world_readable: bool,
    /// The kind of room, such as a space.
    pub room_type: Option<RoomType>,
    /// Name, topic and alias in lower case.
    searched: [String; 3],
}

/// A place in the directory's order, which is that of rooms: by size, then by id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirectoryPlace {
    joined: Reverse<u64>,
    room_id: OwnedRoomId,
}

impl DirectoryPlace {
    /// The place of a room of this size.
    pub fn new(joined: u64, room_id: OwnedRoomId) -> Self {
        Self {
            joined: Reverse(joined),
            room_id,
        }
    }

    /// How many members the room had.
    pub fn joined(&self) -> u64 {
        self.joined.0
    }

    /// The room.
    pub fn room_id(&self) -> &OwnedRoomId {
        &self.room_id
    }
}

/// Where a page of the directory lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DirectoryFrom {
    /// At the largest room.
    Start,
    /// It begins after a place.
    After(DirectoryPlace),
    /// It ends before a place.
    Before(DirectoryPlace),
}

/// Whose rooms are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirectoryNetwork<'a> {
    /// Those that are published here.
    Matrix,
    /// Those that are shown as a network's, by its id among those of all application services.
    Of(&'a str),
    /// All of them.
    All,
}

/// What is asked of the directory.
#[derive(Clone, Debug)]
pub struct DirectoryQuery<'a> {
    /// Whose rooms.
    pub network: DirectoryNetwork<'a>,
    /// What name, topic or alias contain, whatever the case.
    pub term: Option<&'a str>,
    /// The kinds of rooms; all when there are none.
    pub kinds: &'a [RoomTypeFilter],
    /// Where the page lies.
    pub from: DirectoryFrom,
    /// The most rooms of the page.
    pub limit: usize,
}

/// A page of the directory.
#[derive(Clone, Debug)]
pub struct DirectoryPage {
    /// The rooms, largest first.
    pub rooms: Vec<Arc<Listing>>,
    /// The page before this one, if there is one.
    pub previous: Option<DirectoryFrom>,
    /// The page after this one, if there is one.
    pub next: Option<DirectoryFrom>,
    /// How many rooms are published.
    pub total: usize,
}

/// Parsed listings by room, each with the position of the state that it was parsed from.
pub(crate) struct Listings(Cache<i64, (Pos, Arc<Listing>)>);

impl Listings {
    pub(crate) fn new() -> Self {
        let weigh = |_: &i64, (_, listing): &(Pos, Arc<Listing>)| {
            u32::try_from(listing.size_bytes()).unwrap_or(u32::MAX)
        };
        let cache = Cache::builder().max_capacity(LISTINGS_BYTES).weigher(weigh);
        Self(cache.build())
    }
}

impl Rooms {
    /// Gives a page of the published rooms.
    ///
    /// A room that grows or shrinks between two pages may be on both or on neither; all others
    /// are on exactly one. It needs no read barrier: the snapshot tells which listings are true.
    pub async fn directory(&self, query: &DirectoryQuery<'_>) -> Result<DirectoryPage, StoreError> {
        let published = self.published(query.network).await?;
        let total = published.len();
        let term = query.term.map(str::to_lowercase);
        let mut listed: Vec<Arc<Listing>> = published
            .into_iter()
            .filter(|listing| listing.matches(term.as_deref(), query.kinds))
            .collect();
        listed.sort_by_cached_key(|listing| listing.place());
        Ok(page(&listed, &query.from, query.limit.max(1), total))
    }

    /// Every published room. Only those whose state has changed since they were last listed are
    /// parsed again.
    async fn published(
        &self,
        network: DirectoryNetwork<'_>,
    ) -> Result<Vec<Arc<Listing>>, StoreError> {
        let snapshot = self.snapshot().await?;
        let rows = match network {
            DirectoryNetwork::Matrix => snapshot.query(PUBLISHED, &[]).await?,
            DirectoryNetwork::Of(network) => snapshot.query(OF_NETWORK, &[network.into()]).await?,
            DirectoryNetwork::All => snapshot.query(OF_ALL, &[]).await?,
        };
        let mut listed = Vec::with_capacity(rows.len());
        let mut unknown = Vec::new();
        for row in &rows {
            let (room, state_pos) = (row.int(0)?, Pos::new(row.int(1)?));
            match self.listings().0.get(&room) {
                Some((pos, listing)) if pos >= state_pos => listed.push(listing),
                _ => unknown.push((room, state_pos)),
            }
        }
        for some in unknown.chunks(READ_AT_ONCE) {
            let reading = some.iter().map(|room| self.list(&snapshot, *room));
            listed.extend(try_join_all(reading).await?.into_iter().flatten());
        }
        Ok(listed)
    }

    async fn list(
        &self,
        snapshot: &Snapshot,
        (room, state_pos): (i64, Pos),
    ) -> Result<Option<Arc<Listing>>, StoreError> {
        let cached = self.cache().get(&room);
        let found = match cached.filter(|cached| cached.state_pos >= state_pos) {
            Some(cached) => cached,
            None => match self.read_room(snapshot, room).await? {
                Some(read) => read,
                None => return Ok(None),
            },
        };
        let listing = Arc::new(Listing::of(&found));
        let kept = (found.state_pos, Arc::clone(&listing));
        self.listings().0.insert(room, kept);
        Ok(Some(listing))
    }
}

impl Listing {
    fn of(room: &Room) -> Self {
        let state = &room.state;
        let (name, topic) = (state.name(), state.topic());
        let alias = state.canonical_alias().cloned();
        let lower = |text: Option<&str>| text.map(str::to_lowercase).unwrap_or_default();
        Self {
            searched: [
                lower(name.as_deref()),
                lower(topic.as_deref()),
                lower(alias.as_ref().map(|alias| alias.as_str())),
            ],
            room_id: room.room_id.clone(),
            name,
            topic,
            canonical_alias: alias,
            avatar_url: state.avatar_url(),
            join_rule: state.join_rule().kind.clone(),
            joined: u64::try_from(state.joined_count()).unwrap_or(u64::MAX),
            guests_may_join: state.guests_may_join(),
            world_readable: *state.history_visibility() == HistoryVisibility::WorldReadable,
            room_type: state.create().room_type.clone(),
        }
    }

    fn size_bytes(&self) -> usize {
        // Each text is there twice: as it is, and in lower case.
        let texts: usize = self.searched.iter().map(String::len).sum();
        LISTING_BYTES + 2 * texts
    }

    fn place(&self) -> DirectoryPlace {
        DirectoryPlace::new(self.joined, self.room_id.clone())
    }

    /// Whether a search finds it; the term is in lower case.
    fn matches(&self, term: Option<&str>, kinds: &[RoomTypeFilter]) -> bool {
        let found = term.is_none_or(|term| self.searched.iter().any(|text| text.contains(term)));
        let kind = || RoomTypeFilter::from(self.room_type.clone());
        found && (kinds.is_empty() || kinds.contains(&kind()))
    }
}

/// Cuts a page out of the whole list, which is in order.
fn page(
    listed: &[Arc<Listing>],
    from: &DirectoryFrom,
    limit: usize,
    total: usize,
) -> DirectoryPage {
    let (start, end) = match from {
        DirectoryFrom::Start => (0, limit.min(listed.len())),
        DirectoryFrom::After(place) => {
            let start = listed.partition_point(|listing| listing.place() <= *place);
            (start, start.saturating_add(limit).min(listed.len()))
        }
        DirectoryFrom::Before(place) => {
            let end = listed.partition_point(|listing| listing.place() < *place);
            (end.saturating_sub(limit), end)
        }
    };
    let rooms = listed[start..end].to_vec();
    let first = rooms.first().filter(|_| start > 0);
    let last = rooms.last().filter(|_| end < listed.len());
    DirectoryPage {
        previous: first.map(|first| DirectoryFrom::Before(first.place())),
        next: last.map(|last| DirectoryFrom::After(last.place())),
        rooms,
        total,
    }
}

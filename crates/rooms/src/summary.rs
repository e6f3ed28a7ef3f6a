//! What a room shows to those who look at it from outside, read without the rest of it.

use std::{collections::HashMap, sync::Arc};

use futures_util::future::try_join_all;
use model::{
    event::Pdu,
    room_state::{RoomState, StateView},
};
use moka::sync::Cache;
use ruma::{
    OwnedMxcUri, OwnedRoomAliasId, OwnedRoomId, RoomId, RoomVersionId,
    events::room::{history_visibility::HistoryVisibility, member::MembershipState},
    room::{JoinRuleKind, RoomType},
};
use serde::Deserialize;
use store::{Pos, Reader, Row, Snapshot, StoreError};

use crate::{
    Room, Rooms, RoomsError, RoomsRefusal,
    room::stored_rules,
    space::SpaceChild,
    stored::{SealedPdu, open_pdus},
};

/// How much memory summaries may take, about, and what one takes beside its texts.
const SUMMARIES_BYTES: u64 = 32 * 1024 * 1024;
const SUMMARY_BYTES: usize = 512;

/// How many rooms are read at once.
pub(crate) const READ_AT_ONCE: usize = 16;

const ROOMS: &str = "SELECT room, state_pos, version FROM rooms WHERE room IN \
     ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";

/// The newest entry of each place in the state that is shown, the create event first.
const SHOWN_STATE: &str = "SELECT e.event_id, e.sealed, s.room FROM state_changes s \
     JOIN events e ON e.event_id = s.event_id WHERE s.room IN \
     ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) \
     AND s.type IN ('m.room.create', 'm.room.name', 'm.room.topic', 'm.room.avatar', \
     'm.room.canonical_alias', 'm.room.join_rules', 'm.room.guest_access', \
     'm.room.history_visibility', 'm.room.encryption', 'm.space.child') \
     AND s.ord = (SELECT MAX(t.ord) FROM state_changes t \
     WHERE t.room = s.room AND t.type = s.type AND t.state_key = s.state_key) ORDER BY s.ord";

const JOINED: &str = "SELECT room, COUNT(*) FROM memberships WHERE room IN \
     ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) \
     AND membership = 'join' GROUP BY room";

const STANDING: &str = "SELECT n.name, m.membership FROM memberships m \
     JOIN room_names n ON n.id = m.room WHERE m.user_id = $1";

/// A room as it is seen from outside.
#[derive(Debug)]
pub struct RoomSummary {
    /// The room's id.
    pub room_id: OwnedRoomId,
    /// Its version.
    pub version: RoomVersionId,
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
    /// For restricted rules: the rooms whose members may join.
    pub allowed_rooms: Vec<OwnedRoomId>,
    /// How many members are joined.
    pub joined: u64,
    /// Whether guests may join.
    pub guests_may_join: bool,
    /// Whether anybody may read it.
    pub world_readable: bool,
    /// The kind of room, such as a space.
    pub room_type: Option<RoomType>,
    /// The algorithm that encrypts it.
    pub encryption: Option<String>,
    /// The rooms of a space, in the order in which they are shown.
    pub children: Vec<SpaceChild>,
    /// Whether anybody may ask to be let in.
    is_knockable: bool,
}

/// Where a user stands in all rooms that they ever had to do with.
pub struct Standing(HashMap<String, MembershipState>);

impl Standing {
    /// The user's membership in a room.
    pub fn in_room(&self, room_id: &RoomId) -> MembershipState {
        let membership = self.0.get(room_id.as_str()).cloned();
        membership.unwrap_or(MembershipState::Leave)
    }
}

/// Summaries by room, each with the position of the state that it was made of.
pub(crate) struct Summaries(Cache<i64, (Pos, Arc<RoomSummary>)>);

impl Summaries {
    pub(crate) fn new() -> Self {
        let weigh = |_: &i64, (_, summary): &(Pos, Arc<RoomSummary>)| {
            u32::try_from(summary.size_bytes()).unwrap_or(u32::MAX)
        };
        let cache = Cache::builder().max_capacity(SUMMARIES_BYTES);
        Self(cache.weigher(weigh).build())
    }
}

impl Rooms {
    /// The summary of a room for somebody, or for nobody in particular, and where they stand in
    /// it. A room that they may not look at is one that does not exist.
    ///
    /// It needs no read barrier: the snapshot tells what is true.
    pub async fn summary(
        &self,
        room_id: &RoomId,
        user: Option<i64>,
    ) -> Result<(Arc<RoomSummary>, Option<MembershipState>), RoomsError> {
        let snapshot = self.snapshot().await?;
        let missing = || RoomsRefusal::NoSuchRoom(room_id.to_owned());
        let room = self.names().room(&snapshot, room_id.as_str()).await?;
        let found = self
            .summaries(&snapshot, &[room.ok_or_else(missing)?])
            .await?;
        let summary = found.into_values().next().ok_or_else(missing)?;
        let Some(user) = user else {
            return match summary.is_open() {
                true => Ok((summary, None)),
                false => Err(missing().into()),
            };
        };
        let standing = self.standing(&snapshot, user).await?;
        let membership = standing.in_room(room_id);
        // Who knocks is shown what they knock at.
        if membership != MembershipState::Knock && !summary.is_shown_to(&standing) {
            return Err(missing().into());
        }
        Ok((summary, Some(membership)))
    }

    /// Where a user stands in all rooms.
    pub(crate) async fn standing(
        &self,
        reader: &Reader,
        user: i64,
    ) -> Result<Standing, StoreError> {
        let rows = reader.query(STANDING, &[user.into()]).await?;
        let standing = rows
            .iter()
            .map(|row| Ok((row.text(0)?.to_owned(), row.text(1)?.into())));
        Ok(Standing(standing.collect::<Result<_, StoreError>>()?))
    }

    /// The summaries of some rooms, at most [`READ_AT_ONCE`]; those that do not exist are absent.
    ///
    /// Only what is in no memory, or has changed since, is read, and of that no members.
    pub(crate) async fn summaries(
        &self,
        snapshot: &Snapshot,
        rooms: &[i64],
    ) -> Result<HashMap<i64, Arc<RoomSummary>>, StoreError> {
        let mut found = HashMap::new();
        let mut unknown = Vec::new();
        for row in snapshot.query(ROOMS, &padded(rooms)).await? {
            let (room, state_pos) = (row.int(0)?, Pos::new(row.int(1)?));
            match self.known_summary(room, state_pos) {
                Some(summary) => drop(found.insert(room, summary)),
                None => unknown.push(row),
            }
        }
        for (room, summary) in self.read_summaries(snapshot, &unknown).await? {
            found.insert(room, summary);
        }
        Ok(found)
    }

    /// The summary in memory, or of the room in memory.
    fn known_summary(&self, room: i64, state_pos: Pos) -> Option<Arc<RoomSummary>> {
        let kept = self.kept_summaries();
        if let Some((pos, summary)) = kept.0.get(&room)
            && pos >= state_pos
        {
            return Some(summary);
        }
        let cached = self.cache().get(&room);
        let cached = cached.filter(|cached| cached.state_pos >= state_pos)?;
        let summary = Arc::new(RoomSummary::of_room(&cached));
        kept.0
            .insert(room, (cached.state_pos, Arc::clone(&summary)));
        Some(summary)
    }

    /// Reads summaries for rows that begin with `room, state_pos, version`.
    async fn read_summaries(
        &self,
        snapshot: &Snapshot,
        rows: &[Row],
    ) -> Result<Vec<(i64, Arc<RoomSummary>)>, StoreError> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let rooms = rows.iter().map(|row| row.int(0));
        let rooms = padded(&rooms.collect::<Result<Vec<_>, _>>()?);
        let mut counts = HashMap::new();
        for row in snapshot.query(JOINED, &rooms).await? {
            counts.insert(row.int(0)?, u64::try_from(row.int(1)?).unwrap_or(0));
        }
        let mut state: HashMap<i64, Vec<SealedPdu>> = HashMap::new();
        for row in snapshot.query(SHOWN_STATE, &rooms).await? {
            let events = state.entry(row.int(2)?).or_default();
            events.push(SealedPdu::from_row(&row)?);
        }
        let reading = rows.iter().map(|row| {
            let room = row.int(0);
            let sealed = room.as_ref().map(|room| state.remove(room));
            let sealed = sealed.ok().flatten().unwrap_or_default();
            let counts = &counts;
            async move {
                let room = room?;
                let joined = counts.get(&room).copied().unwrap_or(0);
                let summary = self.open_summary(snapshot, row, sealed, joined).await?;
                Ok::<_, StoreError>((room, summary))
            }
        });
        try_join_all(reading.collect::<Vec<_>>()).await
    }

    async fn open_summary(
        &self,
        snapshot: &Snapshot,
        row: &Row,
        sealed: Vec<SealedPdu>,
        joined: u64,
    ) -> Result<Arc<RoomSummary>, StoreError> {
        let room = row.int(0)?;
        let rules = stored_rules(row.text(2)?)?;
        let opened = open_pdus(snapshot, self.keyring(), &rules, sealed).await?;
        let mut events = opened.into_iter().map(Arc::new);
        let damaged = |what: String| StoreError::Damaged(format!("room {room}: {what}"));
        let create = events.next();
        let create = create.ok_or_else(|| damaged("no state".to_owned()))?;
        let room_id = create.room_id().to_owned();
        let mut state = RoomState::new(create).map_err(|error| damaged(error.to_string()))?;
        events.for_each(|event| state.apply(event));
        let summary = Arc::new(RoomSummary::new(&state, room_id, joined));
        let kept = (Pos::new(row.int(1)?), Arc::clone(&summary));
        self.kept_summaries().0.insert(room, kept);
        Ok(summary)
    }
}

impl RoomSummary {
    fn of_room(room: &Room) -> Self {
        let joined = u64::try_from(room.state.joined_count()).unwrap_or(u64::MAX);
        Self::new(&room.state, room.room_id.clone(), joined)
    }

    /// From a state in which all that is shown stands; members need not.
    fn new(state: &RoomState, room_id: OwnedRoomId, joined: u64) -> Self {
        let (create, rule) = (state.create(), state.join_rule());
        let rules = &create.rules.authorization;
        let restricted = match rule.kind {
            JoinRuleKind::Restricted => rules.restricted_join_rule,
            JoinRuleKind::KnockRestricted => rules.knock_restricted_join_rule,
            _ => false,
        };
        Self {
            room_id,
            version: create.version.clone(),
            name: state.name(),
            topic: state.topic(),
            canonical_alias: state.canonical_alias().cloned(),
            avatar_url: state.avatar_url(),
            join_rule: rule.kind.clone(),
            allowed_rooms: match restricted {
                true => rule.allowed_rooms.clone(),
                false => Vec::new(),
            },
            joined,
            guests_may_join: state.guests_may_join(),
            world_readable: *state.history_visibility() == HistoryVisibility::WorldReadable,
            room_type: create.room_type.clone(),
            encryption: state
                .get("m.room.encryption", "")
                .and_then(|event| algorithm(event)),
            children: match create.is_space() {
                true => SpaceChild::all_of(state),
                false => Vec::new(),
            },
            is_knockable: match rule.kind {
                JoinRuleKind::Knock => rules.knocking,
                JoinRuleKind::KnockRestricted => rules.knock_restricted_join_rule,
                _ => false,
            },
        }
    }

    /// Whether anybody may look at it.
    pub fn is_open(&self) -> bool {
        self.join_rule == JoinRuleKind::Public || self.is_knockable || self.world_readable
    }

    /// Whether a user may look at it: they are in, could come in or ask to, or may read it.
    pub fn is_shown_to(&self, standing: &Standing) -> bool {
        let is_in = |room: &OwnedRoomId| standing.in_room(room) == MembershipState::Join;
        match standing.in_room(&self.room_id) {
            MembershipState::Join | MembershipState::Invite => true,
            MembershipState::Ban => self.world_readable,
            _ => self.is_open() || self.allowed_rooms.iter().any(is_in),
        }
    }

    fn size_bytes(&self) -> usize {
        let texts = [self.name.as_deref(), self.topic.as_deref()];
        let texts: usize = texts.iter().flatten().map(|text| text.len()).sum();
        let children: usize = self.children.iter().map(SpaceChild::size_bytes).sum();
        SUMMARY_BYTES + texts + children
    }
}

fn algorithm(event: &Pdu) -> Option<String> {
    #[derive(Deserialize)]
    struct Content {
        algorithm: String,
    }
    Some(event.content_as::<Content>().ok()?.algorithm)
}

/// The rooms as the parameters of statements for [`READ_AT_ONCE`] of them.
fn padded(rooms: &[i64]) -> Vec<store::Value> {
    const NO_ROOM: i64 = -1;

    debug_assert!(
        rooms.len() <= READ_AT_ONCE,
        "more rooms than a statement names"
    );
    let rooms = rooms.iter().copied().chain(std::iter::repeat(NO_ROOM));
    rooms.take(READ_AT_ONCE).map(Into::into).collect()
}

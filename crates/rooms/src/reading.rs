//! What sync and the floors above read: memberships, receipts, who shares rooms.

use std::collections::HashMap;

use ruma::{OwnedEventId, OwnedRoomId, UserId, events::room::member::MembershipState};
use store::{Pos, Reader, StoreError};

use crate::{Rooms, rooms::stored_room_id, stored::event_id_at};

/// Where a user stands in a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The room's integer.
    pub room: i64,
    /// The membership.
    pub membership: MembershipState,
    /// The member event that says so.
    pub event_id: OwnedEventId,
    /// Its position.
    pub pos: i64,
    /// Whether the user no longer wants to see the room.
    pub forgotten: bool,
    /// The position of the room's last event.
    pub last_pos: i64,
    /// The position of the last event that somebody was meant to read.
    pub bump_pos: i64,
    /// The position of the last change of the room's state.
    pub state_pos: i64,
}

/// How far somebody has read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptEntry {
    /// The reader's integer.
    pub user: i64,
    /// `m.read`, `m.read.private` or `m.fully_read`.
    pub kind: String,
    /// Empty for an unthreaded receipt.
    pub thread: String,
    /// The event.
    pub event_id: OwnedEventId,
    /// The event's place in the timeline.
    pub ord: i64,
    /// When it was read, in milliseconds since the Unix epoch.
    pub ts: i64,
    /// The position at which it was given.
    pub pos: i64,
}

/// Some of the rooms that two users are in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MutualRooms {
    /// The rooms.
    pub rooms: Vec<OwnedRoomId>,
    /// After which room to ask again, if there are more.
    pub next: Option<i64>,
    /// How many there are in all.
    pub total: u64,
}

/// How many stand how in a room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemberCounts {
    /// How many are in.
    pub joined: usize,
    /// How many are asked in.
    pub invited: usize,
}

const MEMBERSHIPS: &str = "SELECT m.room, m.membership, m.event_id, m.pos, m.forgotten, r.last_pos, \
     r.bump_pos, r.state_pos FROM memberships m JOIN rooms r ON r.room = m.room WHERE m.user_id = $1 ORDER BY m.room";

/// Of each room the last place before one, where a user stands to it as they did there.
const NEWEST_BEFORE: &str = "SELECT room, newest FROM (SELECT m.room, (SELECT MAX(e.ord) \
     FROM events e WHERE e.room = m.room AND e.ord < CASE WHEN m.membership = 'join' \
     OR m.pos >= $2 THEN $2 ELSE m.pos + 1 END) AS newest FROM memberships m \
     WHERE m.user_id = $1 AND m.forgotten = 0) places WHERE newest IS NOT NULL";

const JOINED: &str =
    "SELECT room FROM memberships WHERE user_id = $1 AND membership = 'join' ORDER BY room";

const RECEIPTS: &str = "SELECT user_id, type, thread, event_id, ord, ts, pos FROM receipts \
     WHERE room = $1 AND pos > $2 AND pos <= $3 ORDER BY pos";

const RECEIPTS_NEAR: &str = "SELECT r.user_id, r.type, r.thread, r.event_id, r.ord, r.ts, r.pos, r.room \
     FROM memberships m JOIN receipts r ON r.room = m.room WHERE m.user_id = $1 \
     AND m.membership = 'join' AND r.pos > $2 AND r.pos <= $3 ORDER BY r.pos";

const HAS_READ: &str = "SELECT 1 FROM memberships m JOIN receipts r ON r.room = m.room \
     AND r.user_id = m.user_id WHERE m.user_id = $1 AND r.pos > $2 AND r.type <> 'm.fully_read' \
     LIMIT 1";

const OWN_RECEIPTS: &str = "SELECT user_id, type, thread, event_id, ord, ts, pos FROM receipts \
     WHERE room = $1 AND user_id = $2 ORDER BY ord";

const SHARING: &str = "SELECT DISTINCT other.user_id FROM memberships mine \
     JOIN memberships other ON other.room = mine.room AND other.membership = 'join' \
     WHERE mine.user_id = $1 AND mine.membership = 'join' ORDER BY other.user_id";

const SHARES: &str = "SELECT 1 FROM memberships mine \
     JOIN memberships other ON other.room = mine.room AND other.membership = 'join' \
     WHERE mine.user_id = $1 AND mine.membership = 'join' AND other.user_id = $2 LIMIT 1";

const MUTUAL: &str = "SELECT mine.room, room_names.name FROM memberships mine \
     JOIN memberships other ON other.room = mine.room AND other.user_id = $2 \
     AND other.membership = 'join' JOIN room_names ON room_names.id = mine.room \
     WHERE mine.user_id = $1 AND mine.membership = 'join' AND mine.room > $3 \
     ORDER BY mine.room LIMIT $4";

const COUNT_MUTUAL: &str = "SELECT COUNT(*) FROM memberships mine \
     JOIN memberships other ON other.room = mine.room AND other.user_id = $2 \
     AND other.membership = 'join' WHERE mine.user_id = $1 AND mine.membership = 'join'";

const MEMBERS: &str =
    "SELECT user_id FROM memberships WHERE room = $1 AND membership = 'join' ORDER BY user_id";

const MEMBERS_SINCE: &str =
    "SELECT user_id, pos FROM memberships WHERE room = $1 AND membership = 'join'";

const COUNTS: &str = "SELECT COUNT(*) FILTER (WHERE membership = 'join'), \
     COUNT(*) FILTER (WHERE membership = 'invite') FROM memberships WHERE room = $1";

const MEMBERSHIP_CHANGES: &str = "SELECT state_key, membership FROM state_changes \
     WHERE room = $1 AND type = 'm.room.member' AND pos > $2 AND pos <= $3 ORDER BY ord";

const MEMBERSHIP_BEFORE: &str = "SELECT membership FROM state_changes WHERE room = $1 \
     AND type = 'm.room.member' AND state_key = $2 AND pos <= $3 ORDER BY ord DESC LIMIT 1";

impl Rooms {
    /// Every room that a user ever had to do with.
    pub async fn memberships(
        &self,
        reader: &Reader,
        user: i64,
    ) -> Result<Vec<Membership>, StoreError> {
        let rows = reader.query(MEMBERSHIPS, &[user.into()]).await?;
        rows.iter()
            .map(|row| {
                Ok(Membership {
                    room: row.int(0)?,
                    membership: row.text(1)?.into(),
                    event_id: event_id_at(row, 2)?,
                    pos: row.int(3)?,
                    forgotten: row.flag(4)?,
                    last_pos: row.int(5)?,
                    bump_pos: row.int(6)?,
                    state_pos: row.int(7)?,
                })
            })
            .collect()
    }

    /// The place of the newest event before `ord` in every room that a user has to do with, and
    /// the room: of those that they are not in, up to where they ceased to be.
    pub async fn newest_before(
        &self,
        reader: &Reader,
        user: i64,
        ord: i64,
    ) -> Result<Vec<(i64, i64)>, StoreError> {
        let rows = reader
            .query(NEWEST_BEFORE, &[user.into(), ord.into()])
            .await?;
        let places = rows.iter().map(|row| Ok((row.int(1)?, row.int(0)?)));
        places.collect()
    }

    /// The rooms that a user is in.
    pub async fn joined_rooms(
        &self,
        reader: &Reader,
        user: i64,
    ) -> Result<Vec<OwnedRoomId>, StoreError> {
        let mut rooms = Vec::new();
        for row in reader.query(JOINED, &[user.into()]).await? {
            let name = self.names().room_name(reader, row.int(0)?).await?;
            rooms.push(stored_room_id(&name)?);
        }
        Ok(rooms)
    }

    /// The same rooms, by their integers.
    pub async fn joined_room_numbers(
        &self,
        reader: &Reader,
        user: i64,
    ) -> Result<Vec<i64>, StoreError> {
        let rows = reader.query(JOINED, &[user.into()]).await?;
        rows.iter().map(|row| row.int(0)).collect()
    }

    /// Receipts that were given after `after`, up to and including `up_to`. Private ones are
    /// the reader's own business: whoever shows them to others leaves those out.
    pub async fn receipts_between(
        &self,
        reader: &Reader,
        room: i64,
        after: i64,
        up_to: i64,
    ) -> Result<Vec<ReceiptEntry>, StoreError> {
        let params = [room.into(), after.into(), up_to.into()];
        receipts_of(&reader.query(RECEIPTS, &params).await?)
    }

    /// Receipts in all rooms that a user is joined to, given after `after`, up to and including
    /// `up_to`, by room.
    pub async fn receipts_near(
        &self,
        reader: &Reader,
        user: i64,
        after: i64,
        up_to: i64,
    ) -> Result<HashMap<i64, Vec<ReceiptEntry>>, StoreError> {
        let params = [user.into(), after.into(), up_to.into()];
        let rows = reader.query(RECEIPTS_NEAR, &params).await?;
        let mut by_room: HashMap<i64, Vec<ReceiptEntry>> = HashMap::new();
        for (row, receipt) in rows.iter().zip(receipts_of(&rows)?) {
            by_room.entry(row.int(7)?).or_default().push(receipt);
        }
        Ok(by_room)
    }

    /// Whether a user has read anything, in any room, after a position.
    pub async fn has_read_since(
        &self,
        reader: &Reader,
        user: i64,
        after: Pos,
    ) -> Result<bool, StoreError> {
        let params = [user.into(), after.get().into()];
        Ok(reader.query_opt(HAS_READ, &params).await?.is_some())
    }

    /// A user's own receipts in a room.
    pub async fn own_receipts(
        &self,
        reader: &Reader,
        room: i64,
        user: i64,
    ) -> Result<Vec<ReceiptEntry>, StoreError> {
        receipts_of(
            &reader
                .query(OWN_RECEIPTS, &[room.into(), user.into()])
                .await?,
        )
    }

    /// The users who are joined to a room that the user is joined to, the user included.
    pub async fn sharing_users(&self, reader: &Reader, user: i64) -> Result<Vec<i64>, StoreError> {
        let rows = reader.query(SHARING, &[user.into()]).await?;
        rows.iter().map(|row| row.int(0)).collect()
    }

    /// Whether two users are joined to one room.
    pub async fn share_a_room(
        &self,
        reader: &Reader,
        user: i64,
        other: i64,
    ) -> Result<bool, StoreError> {
        Ok(reader
            .query_opt(SHARES, &[user.into(), other.into()])
            .await?
            .is_some())
    }

    /// The rooms that two users are in, after one of them, at most `limit`; none with somebody who
    /// is not known here.
    pub async fn mutual_rooms(
        &self,
        reader: &Reader,
        user: i64,
        other: &UserId,
        after: i64,
        limit: u16,
    ) -> Result<MutualRooms, StoreError> {
        let Some(other) = self.names().user(reader, other.as_str()).await? else {
            return Ok(MutualRooms::default());
        };
        let limit = usize::from(limit);
        let both = [user.into(), other.into()];
        let total = match reader.query_opt(COUNT_MUTUAL, &both).await? {
            Some(row) => u64::try_from(row.int(0)?).unwrap_or(0),
            None => 0,
        };
        // One more tells whether there are more.
        let params = [
            user.into(),
            other.into(),
            after.into(),
            (limit as i64 + 1).into(),
        ];
        let rows = reader.query(MUTUAL, &params).await?;
        let page = rows.get(..limit).unwrap_or(&rows);
        let next = match page.last() {
            Some(last) if rows.len() > limit => Some(last.int(0)?),
            _ => None,
        };
        let rooms = page.iter().map(|row| stored_room_id(row.text(1)?));
        Ok(MutualRooms {
            rooms: rooms.collect::<Result<_, _>>()?,
            next,
            total,
        })
    }

    /// The joined members of a room.
    pub async fn joined_users(&self, reader: &Reader, room: i64) -> Result<Vec<i64>, StoreError> {
        let rows = reader.query(MEMBERS, &[room.into()]).await?;
        rows.iter().map(|row| row.int(0)).collect()
    }

    /// The joined members of a room, and where in the log their membership is what it is since: at
    /// their joining, or when they last changed their name there.
    pub async fn joined_since(
        &self,
        reader: &Reader,
        room: i64,
    ) -> Result<Vec<(i64, i64)>, StoreError> {
        let rows = reader.query(MEMBERS_SINCE, &[room.into()]).await?;
        let members = rows.iter().map(|row| Ok((row.int(0)?, row.int(1)?)));
        members.collect()
    }

    /// How many are in a room, and how many are asked in.
    pub async fn member_counts(
        &self,
        reader: &Reader,
        room: i64,
    ) -> Result<MemberCounts, StoreError> {
        let Some(row) = reader.query_opt(COUNTS, &[room.into()]).await? else {
            return Ok(MemberCounts::default());
        };
        let count = |index| Ok::<_, StoreError>(usize::try_from(row.int(index)?).unwrap_or(0));
        Ok(MemberCounts {
            joined: count(0)?,
            invited: count(1)?,
        })
    }

    /// Who changed membership in a room after `after`, up to and including `up_to`, in order.
    pub async fn membership_changes(
        &self,
        reader: &Reader,
        room: i64,
        after: i64,
        up_to: i64,
    ) -> Result<Vec<(String, MembershipState)>, StoreError> {
        let params = [room.into(), after.into(), up_to.into()];
        let rows = reader.query(MEMBERSHIP_CHANGES, &params).await?;
        rows.iter()
            .map(|row| {
                Ok((
                    row.text(0)?.to_owned(),
                    row.opt_text(1)?.unwrap_or("leave").into(),
                ))
            })
            .collect()
    }

    /// A user's membership in a room at a position.
    pub async fn membership_at(
        &self,
        reader: &Reader,
        room: i64,
        user_id: &UserId,
        pos: i64,
    ) -> Result<MembershipState, StoreError> {
        let params = [room.into(), user_id.as_str().into(), pos.into()];
        let row = reader.query_opt(MEMBERSHIP_BEFORE, &params).await?;
        let membership = row.map(|row| Ok::<_, StoreError>(row.opt_text(0)?.map(Into::into)));
        Ok(membership
            .transpose()?
            .flatten()
            .unwrap_or(MembershipState::Leave))
    }
}

fn receipts_of(rows: &[store::Row]) -> Result<Vec<ReceiptEntry>, StoreError> {
    rows.iter()
        .map(|row| {
            Ok(ReceiptEntry {
                user: row.int(0)?,
                kind: row.text(1)?.to_owned(),
                thread: row.text(2)?.to_owned(),
                event_id: event_id_at(row, 3)?,
                ord: row.int(4)?,
                ts: row.int(5)?,
                pos: row.int(6)?,
            })
        })
        .collect()
}

//! What who follows the log reads of rooms: no more than stands in clear.

use ruma::{UserId, events::room::member::MembershipState};
use store::{Pos, Reader, StoreError};

use crate::Rooms;

/// An event, as far as it can be told without opening it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventOutline {
    /// Its position.
    pub pos: Pos,
    /// The room, by interned id.
    pub room: i64,
    /// Who sent it, by interned id.
    pub sender: i64,
    /// Its type.
    pub kind: String,
    /// Its state key, if it set state.
    pub state_key: Option<String>,
    /// Of a member event: what its subject became.
    pub membership: Option<MembershipState>,
}

const OUTLINES: &str = "SELECT e.pos, e.room, e.sender, e.type, e.state_key, s.membership \
     FROM events e LEFT JOIN state_changes s ON s.room = e.room AND s.type = e.type \
     AND s.state_key = e.state_key AND s.ord = e.ord \
     WHERE e.pos > $1 AND e.pos <= $2 AND e.ord IS NOT NULL AND e.rejected = 0 ORDER BY e.pos";

/// Who was in a room when the log stood at a position.
const JOINED_AT: &str = "SELECT s.state_key FROM state_changes s WHERE s.room = $1 \
     AND s.type = 'm.room.member' AND s.membership = 'join' AND s.pos <= $2 \
     AND s.ord = (SELECT MAX(t.ord) FROM state_changes t WHERE t.room = s.room \
     AND t.type = s.type AND t.state_key = s.state_key AND t.pos <= $2)";

const ALIASES_AS_OF: &str = "SELECT COUNT(*), COALESCE(MAX(pos), 0) FROM aliases WHERE room = $1";

impl Rooms {
    /// The events of all rooms after a position, up to another, in the order of the log.
    pub async fn outlines(
        &self,
        reader: &Reader,
        after: Pos,
        upto: Pos,
    ) -> Result<Vec<EventOutline>, StoreError> {
        let params = [after.get().into(), upto.get().into()];
        let rows = reader.query(OUTLINES, &params).await?;
        let outlines = rows.iter().map(|row| {
            Ok(EventOutline {
                pos: Pos::new(row.int(0)?),
                room: row.int(1)?,
                sender: row.int(2)?,
                kind: row.text(3)?.to_owned(),
                state_key: row.opt_text(4)?.map(str::to_owned),
                membership: row.opt_text(5)?.map(Into::into),
            })
        });
        outlines.collect()
    }

    /// The users who were in a room when the log stood at a position.
    pub async fn joined_at(
        &self,
        reader: &Reader,
        room: i64,
        pos: Pos,
    ) -> Result<Vec<String>, StoreError> {
        let params = [room.into(), pos.get().into()];
        let rows = reader.query(JOINED_AT, &params).await?;
        rows.iter().map(|row| Ok(row.text(0)?.to_owned())).collect()
    }

    /// The rooms that a user was in when the log stood at a position.
    pub async fn joined_rooms_at(
        &self,
        reader: &Reader,
        user: i64,
        user_id: &UserId,
        pos: Pos,
    ) -> Result<Vec<i64>, StoreError> {
        let mut rooms = Vec::new();
        for membership in self.memberships(reader, user).await? {
            let room = membership.room;
            let then = match membership.pos <= pos.get() {
                // Nothing has changed since.
                true => membership.membership,
                false => self.membership_at(reader, room, user_id, pos.get()).await?,
            };
            if then == MembershipState::Join {
                rooms.push(room);
            }
        }
        Ok(rooms)
    }

    /// What changes whenever the aliases of a room do: how many there are, and when the last one
    /// was set.
    pub async fn aliases_as_of(
        &self,
        reader: &Reader,
        room: i64,
    ) -> Result<(i64, i64), StoreError> {
        let row = reader.query_opt(ALIASES_AS_OF, &[room.into()]).await?;
        row.map_or(Ok((0, 0)), |row| Ok((row.int(0)?, row.int(1)?)))
    }
}

//! Who was sent which notice, and in which rooms people get them.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use futures_util::future::try_join_all;
use ruma::{OwnedUserId, RoomId, UserId};
use store::{CheckContext, ColumnType, Insert, Layered, Pos, StoreError, Tx, Verdict, Writes};

use super::RoomsWork;
use crate::{RoomsOutcome, RoomsRefusal, notices::NoticeHash};

const FIND_SENT: &str = "SELECT pos FROM sent_notices WHERE hash = $1 AND user_id = $2";

const FIND_ROOM: &str = "SELECT room FROM rooms WHERE notices_for = $1";

static SENT: Insert = Insert {
    table: "sent_notices",
    columns: &[
        ("hash", ColumnType::Bytes),
        ("user_id", ColumnType::Int),
        ("pos", ColumnType::Int),
    ],
    on_conflict: "",
};

/// A notice that somebody is sent.
pub(super) struct SentRow {
    hash: NoticeHash,
    user: i64,
    pos: Pos,
}

/// What changes name of notices.
#[derive(Default)]
pub(super) struct NamedNotices {
    /// Which notice is sent to whom.
    pub(super) sent: BTreeSet<(NoticeHash, OwnedUserId)>,
    /// For whom a room is made.
    pub(super) readers: BTreeSet<OwnedUserId>,
}

/// What one attempt at a batch knows of notices.
#[derive(Default)]
pub(super) struct NoticesWork {
    sent: Layered<(NoticeHash, i64), ()>,
    /// By user, the room in which they get notices.
    rooms: Layered<i64, i64>,
}

impl NoticesWork {
    pub(super) async fn read(
        tx: &Tx,
        named: &NamedNotices,
        user_ids: &HashMap<OwnedUserId, i64>,
    ) -> Result<Self, StoreError> {
        let mut work = Self::default();
        let sent = named.sent.iter().filter_map(|(hash, user)| {
            let user = *user_ids.get(user)?;
            Some(async move {
                let row = tx
                    .query_opt(FIND_SENT, &[hash[..].into(), user.into()])
                    .await?;
                Ok::<_, StoreError>(row.map(|_| (*hash, user)))
            })
        });
        for key in try_join_all(sent).await?.into_iter().flatten() {
            work.sent.load(key, ());
        }
        let rooms = named.readers.iter().filter_map(|user| {
            let user = *user_ids.get(user)?;
            Some(async move {
                let row = tx.query_opt(FIND_ROOM, &[user.into()]).await?;
                row.map(|row| Ok::<_, StoreError>((user, row.int(0)?)))
                    .transpose()
            })
        });
        for (user, room) in try_join_all(rooms).await?.into_iter().flatten() {
            work.rooms.load(user, room);
        }
        Ok(work)
    }

    pub(super) fn settle(&mut self, keep: bool) {
        self.sent.settle(keep);
        self.rooms.settle(keep);
    }
}

/// Notes that somebody is sent a notice; who was before is not sent it again.
pub(super) fn check_name(
    work: &mut RoomsWork,
    user_id: &UserId,
    hash: NoticeHash,
    context: &CheckContext<'_>,
) -> Verdict<RoomsOutcome> {
    let user = work.user(user_id);
    if work.notices.sent.get(&(hash, user)).is_some() {
        return Verdict::Already(RoomsOutcome::Done);
    }
    work.notices.sent.stage((hash, user), ());
    let pos = context.pos();
    work.rows.notices.push(SentRow { hash, user, pos });
    Verdict::Apply(RoomsOutcome::Done)
}

/// Makes a new room the one in which somebody gets notices, unless there is another.
pub(super) fn check_hold(
    work: &mut RoomsWork,
    room_id: &RoomId,
    user_id: &UserId,
    context: &mut CheckContext<'_>,
) -> Result<Verdict<RoomsOutcome>, RoomsRefusal> {
    let user = work.user(user_id);
    if work.notices.rooms.get(&user).is_some() {
        return Err(RoomsRefusal::HasNotices);
    }
    let mut room = work.room(room_id)?;
    work.notices.rooms.stage(user, room.room);
    Arc::make_mut(&mut room).notices_for = Some(user);
    context.touch_room(room.room);
    work.stage_room(room);
    Ok(Verdict::Apply(RoomsOutcome::Done))
}

pub(super) fn write(rows: Vec<SentRow>, writes: &mut Writes) {
    let rows = rows
        .into_iter()
        .map(|row| vec![row.hash[..].into(), row.user.into(), row.pos.get().into()]);
    writes.insert(&SENT, rows.collect());
}

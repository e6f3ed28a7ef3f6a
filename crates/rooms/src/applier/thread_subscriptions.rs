//! Following threads, and no longer.

use std::collections::{BTreeSet, HashMap};

use futures_util::future::try_join_all;
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};
use store::{CheckContext, ColumnType, Insert, Layered, Pos, StoreError, Tx, Verdict, Writes};

use super::RoomsWork;
use crate::{NewThreadSubscription, RoomsOutcome, RoomsRefusal, ThreadWish};

/// User, room, first event of the thread.
pub(super) type SubscriptionKey = (i64, i64, OwnedEventId);

/// What a user said of a thread last, and where.
#[derive(Clone, Copy)]
pub(super) struct Standing {
    subscribed: bool,
    automatic: bool,
    pos: Pos,
}

pub(super) type SubscriptionRow = (SubscriptionKey, Standing);

const FIND: &str = "SELECT subscribed, automatic, pos FROM thread_subscriptions \
     WHERE user_id = $1 AND room = $2 AND thread = $3";

static SUBSCRIPTIONS: Insert = Insert {
    table: "thread_subscriptions",
    columns: &[
        ("user_id", ColumnType::Int),
        ("room", ColumnType::Int),
        ("thread", ColumnType::Text),
        ("subscribed", ColumnType::Int),
        ("automatic", ColumnType::Int),
        ("pos", ColumnType::Int),
    ],
    on_conflict: "ON CONFLICT (user_id, room, thread) DO UPDATE SET \
        subscribed = excluded.subscribed, automatic = excluded.automatic, pos = excluded.pos",
};

/// What a person chose beats what a client did by itself: it neither replaces a subscription that
/// they made, nor follows again what they left after the event that it follows for.
pub(super) fn check(
    work: &mut RoomsWork,
    wanted: &NewThreadSubscription,
    context: &mut CheckContext<'_>,
) -> Result<Verdict<RoomsOutcome>, RoomsRefusal> {
    let room = work.room(&wanted.room_id)?.room;
    let user = work.user(&wanted.user_id);
    let key = (user, room, wanted.thread.clone());
    let standing = work.subscriptions.get(&key).copied();
    let followed = standing.filter(|standing| standing.subscribed);
    let stands = match wanted.wish {
        ThreadWish::Follow => followed.is_some_and(|standing| !standing.automatic),
        ThreadWish::FollowFor(cause) => match standing {
            Some(left) if !left.subscribed && left.pos > cause => {
                return Err(RoomsRefusal::LeftThread);
            }
            _ => followed.is_some(),
        },
        ThreadWish::Leave => standing.is_some_and(|standing| !standing.subscribed),
    };
    if stands {
        return Ok(Verdict::Nothing(RoomsOutcome::Done));
    }
    let standing = Standing {
        subscribed: !matches!(wanted.wish, ThreadWish::Leave),
        automatic: matches!(wanted.wish, ThreadWish::FollowFor(_)),
        pos: context.pos(),
    };
    work.subscriptions.stage(key.clone(), standing);
    work.rows.subscriptions.push((key, standing));
    context.touch_user(user);
    Ok(Verdict::Apply(RoomsOutcome::Done))
}

pub(super) async fn find(
    tx: &Tx,
    named: &BTreeSet<(OwnedUserId, OwnedRoomId, OwnedEventId)>,
    room_ids: &HashMap<OwnedRoomId, i64>,
    user_ids: &HashMap<OwnedUserId, i64>,
) -> Result<Layered<SubscriptionKey, Standing>, StoreError> {
    let finding = named.iter().filter_map(|(user, room, thread)| {
        let key = (*user_ids.get(user)?, *room_ids.get(room)?, thread.clone());
        Some(async move {
            let params = [key.0.into(), key.1.into(), key.2.as_str().into()];
            let row = tx.query_opt(FIND, &params).await?;
            let read = |row: store::Row| {
                let standing = Standing {
                    subscribed: row.flag(0)?,
                    automatic: row.flag(1)?,
                    pos: Pos::new(row.int(2)?),
                };
                Ok::<_, StoreError>((key, standing))
            };
            row.map(read).transpose()
        })
    });
    let mut found = Layered::default();
    for (key, standing) in try_join_all(finding).await?.into_iter().flatten() {
        found.load(key, standing);
    }
    Ok(found)
}

pub(super) fn write(rows: Vec<SubscriptionRow>, writes: &mut Writes) {
    // The last one of each key: one statement may not change a row twice.
    let last: HashMap<_, _> = rows.into_iter().collect();
    let rows = last.into_iter().map(|((user, room, thread), standing)| {
        vec![
            user.into(),
            room.into(),
            thread.as_str().into(),
            standing.subscribed.into(),
            standing.automatic.into(),
            standing.pos.get().into(),
        ]
    });
    writes.insert(&SUBSCRIPTIONS, rows.collect());
}

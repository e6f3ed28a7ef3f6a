//! Receipts, and forgetting a room.

use std::collections::HashMap;

use model::room_state::StateView;
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId, events::room::member::MembershipState};
use store::{CheckContext, ColumnType, Insert, Pos, Verdict, Writes};

use super::RoomsWork;
use crate::{NewReceipt, RoomsOutcome, RoomsRefusal, tails::TailStep};

/// Room, user, kind, thread.
pub(super) type ReceiptKey = (i64, i64, String, String);

pub(super) struct ReceiptRow {
    key: ReceiptKey,
    event_id: OwnedEventId,
    ord: i64,
    ts: i64,
    pos: Pos,
}

/// A user who forgets a room, and when: whoever comes back later has not forgotten it.
pub(super) struct ForgottenRow {
    pub(super) user: i64,
    pub(super) room: i64,
    pub(super) pos: Pos,
}

pub(super) const FIND_FORGOTTEN: &str =
    "SELECT forgotten FROM memberships WHERE user_id = $1 AND room = $2";

pub(super) const FIND_RECEIPT: &str =
    "SELECT ord FROM receipts WHERE room = $1 AND user_id = $2 AND type = $3 AND thread = $4";

static RECEIPTS: Insert = Insert {
    table: "receipts",
    columns: &[
        ("room", ColumnType::Int),
        ("user_id", ColumnType::Int),
        ("type", ColumnType::Text),
        ("thread", ColumnType::Text),
        ("event_id", ColumnType::Text),
        ("ord", ColumnType::Int),
        ("ts", ColumnType::Int),
        ("pos", ColumnType::Int),
    ],
    on_conflict: "ON CONFLICT (room, user_id, type, thread) DO UPDATE SET \
        event_id = excluded.event_id, ord = excluded.ord, ts = excluded.ts, pos = excluded.pos",
};

/// A receipt only moves forward.
pub(super) fn check_receipt(
    work: &mut RoomsWork,
    receipt: &NewReceipt,
    context: &mut CheckContext<'_>,
) -> Result<Verdict<RoomsOutcome>, RoomsRefusal> {
    let room = work.room(&receipt.room_id)?;
    if !room.state.is_joined(&receipt.user_id) {
        return Err(RoomsRefusal::Forbidden(
            "you are not in this room".to_owned(),
        ));
    }
    let ord = work.place(&room, &receipt.event_id);
    let ord = ord.ok_or(RoomsRefusal::NoSuchEvent)?;
    let user = work.user(&receipt.user_id);
    let key = (
        room.room,
        user,
        receipt.kind.clone(),
        receipt.thread.clone(),
    );
    if work.receipts.get(&key).is_some_and(|read| *read >= ord) {
        return Ok(Verdict::Nothing(RoomsOutcome::Done));
    }
    work.receipts.stage(key.clone(), ord);
    work.rows.receipts.push(ReceiptRow {
        key,
        event_id: receipt.event_id.clone(),
        ord,
        ts: receipt.at.as_millis(),
        pos: context.pos(),
    });
    // A private receipt wakes its owner alone.
    context.touch_user(user);
    if receipt.kind == "m.read" {
        let step = TailStep::Receipt(context.pos());
        work.tails.push((room.room, step));
        work.noisy.stage(room.room, ());
        context.touch_room(room.room);
    }
    Ok(Verdict::Apply(RoomsOutcome::Done))
}

pub(super) fn check_forget(
    work: &mut RoomsWork,
    room_id: &OwnedRoomId,
    user_id: &OwnedUserId,
    context: &mut CheckContext<'_>,
) -> Result<Verdict<RoomsOutcome>, RoomsRefusal> {
    let room = work.room(room_id)?;
    if room.state.get("m.room.member", user_id.as_str()).is_none() {
        return Err(RoomsRefusal::NoSuchRoom(room_id.clone()));
    }
    match room.state.membership(user_id) {
        MembershipState::Leave | MembershipState::Ban => {
            let user = work.user(user_id);
            if work.forgotten.get(&(room.room, user)) == Some(&true) {
                return Ok(Verdict::Nothing(RoomsOutcome::Done));
            }
            work.forgotten.stage((room.room, user), true);
            let (room, pos) = (room.room, context.pos());
            work.rows.forgotten.push(ForgottenRow { user, room, pos });
            context.touch_user(user);
            Ok(Verdict::Apply(RoomsOutcome::Done))
        }
        _ => Err(RoomsRefusal::NotLeft),
    }
}

pub(super) fn write(rows: Vec<ReceiptRow>, writes: &mut Writes) {
    // The last one of each key: one statement may not change a row twice.
    let mut last = HashMap::new();
    for row in rows {
        last.insert(row.key.clone(), row);
    }
    let rows: Vec<_> = last
        .into_values()
        .map(|row| {
            let (room, user, kind, thread) = row.key;
            vec![
                room.into(),
                user.into(),
                kind.into(),
                thread.into(),
                row.event_id.as_str().into(),
                row.ord.into(),
                row.ts.into(),
                row.pos.get().into(),
            ]
        })
        .collect();
    writes.insert(&RECEIPTS, rows);
}

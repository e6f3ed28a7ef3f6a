//! Writing what a batch kept, with statements for many rows.

use std::{collections::HashMap, sync::Arc};

use model::event::Pdu;
use ruma::OwnedEventId;
use store::{ColumnType, Insert, Pos, StoreError, Value, Writes};

use super::{
    RoomsWork, aliases, annotations, guests, networks, notices,
    receipts::{self, ForgottenRow},
    thread_subscriptions,
};
use crate::upkeep::TRANSACTIONS_PER_CHANGE;

pub(super) struct EventRow {
    pub(super) pdu: Arc<Pdu>,
    pub(super) room: i64,
    pub(super) pos: Pos,
    pub(super) sender: i64,
    pub(super) sealed: Vec<u8>,
}

pub(super) struct StateRow {
    pub(super) pdu: Arc<Pdu>,
    pub(super) room: i64,
    pub(super) pos: Pos,
}

pub(super) struct MembershipRow {
    pub(super) user: i64,
    pub(super) room: i64,
    pub(super) membership: String,
    pub(super) event_id: OwnedEventId,
    pub(super) pos: Pos,
}

pub(super) struct RedactionRow {
    pub(super) target: OwnedEventId,
    pub(super) by: OwnedEventId,
    pub(super) sealed: Vec<u8>,
}

const INT: ColumnType = ColumnType::Int;
const TEXT: ColumnType = ColumnType::Text;
const BYTES: ColumnType = ColumnType::Bytes;

static ROOMS: Insert = Insert {
    table: "rooms",
    columns: &[
        ("room", INT),
        ("version", TEXT),
        ("head_event", TEXT),
        ("depth", INT),
        ("last_pos", INT),
        ("state_pos", INT),
        ("published", INT),
        ("bump_pos", INT),
        ("notices_for", INT),
    ],
    on_conflict: "ON CONFLICT (room) DO UPDATE SET head_event = excluded.head_event, \
        depth = excluded.depth, last_pos = excluded.last_pos, state_pos = excluded.state_pos, \
        published = excluded.published, bump_pos = excluded.bump_pos, \
        notices_for = excluded.notices_for",
};

static EVENTS: Insert = Insert {
    table: "events",
    columns: &[
        ("event_id", TEXT),
        ("room", INT),
        ("pos", INT),
        ("ord", INT),
        ("depth", INT),
        ("type", TEXT),
        ("state_key", TEXT),
        ("sender", INT),
        ("ts", INT),
        ("relation_type", TEXT),
        ("relates_to", TEXT),
        ("redacts", TEXT),
        ("has_url", INT),
        ("rejected", INT),
        ("sealed", BYTES),
    ],
    on_conflict: "",
};

static STATE: Insert = Insert {
    table: "state_changes",
    columns: &[
        ("room", INT),
        ("type", TEXT),
        ("state_key", TEXT),
        ("ord", INT),
        ("pos", INT),
        ("event_id", TEXT),
        ("membership", TEXT),
    ],
    on_conflict: "",
};

static MEMBERSHIPS: Insert = Insert {
    table: "memberships",
    columns: &[
        ("user_id", INT),
        ("room", INT),
        ("membership", TEXT),
        ("event_id", TEXT),
        ("pos", INT),
        ("forgotten", INT),
    ],
    on_conflict: "ON CONFLICT (user_id, room) DO UPDATE SET membership = excluded.membership, \
        event_id = excluded.event_id, pos = excluded.pos, forgotten = excluded.forgotten",
};

static TRANSACTIONS: Insert = Insert {
    table: "transactions",
    columns: &[("pos", INT), ("hash", BYTES)],
    on_conflict: "",
};

const REDACT: &str = "UPDATE events SET sealed = $1, redacted_by = $2, relation_type = NULL, \
     relates_to = NULL, has_url = 0 WHERE event_id = $3";

const FORGET_TRANSACTIONS: &str = "DELETE FROM transactions WHERE pos IN \
     (SELECT t.pos FROM (SELECT pos FROM transactions ORDER BY pos LIMIT $2) t \
     LEFT JOIN events e ON e.pos = t.pos WHERE e.ts IS NULL OR e.ts < $1)";

const FORGET: &str =
    "UPDATE memberships SET forgotten = 1 WHERE user_id = $1 AND room = $2 AND pos < $3";

pub(super) fn write(work: &mut RoomsWork, writes: &mut Writes) -> Result<(), StoreError> {
    writes.insert(&ROOMS, room_rows(work)?);
    let events = work.rows.events.take().into_iter();
    writes.insert(&EVENTS, events.map(event_row).collect());
    let state = work.rows.state.take();
    writes.insert(&STATE, state.iter().map(state_row).collect());
    writes.insert(&MEMBERSHIPS, membership_rows(work));
    let transactions = work.rows.transactions.take().into_iter();
    let transactions = transactions.map(|(hash, pos)| vec![pos.get().into(), hash[..].into()]);
    writes.insert(&TRANSACTIONS, transactions.collect());
    for before in work.rows.old_transactions.take() {
        let params = vec![before.as_millis().into(), TRANSACTIONS_PER_CHANGE.into()];
        writes.execute(FORGET_TRANSACTIONS, params);
    }
    for RedactionRow { target, by, sealed } in work.rows.redactions.take() {
        let params = vec![sealed.into(), by.as_str().into(), target.as_str().into()];
        writes.execute(REDACT, params);
    }
    let lost = work.rows.lost_annotations.take();
    annotations::write(work.rows.annotations.take(), lost, writes);
    for ForgottenRow { user, room, pos } in work.rows.forgotten.take() {
        writes.execute(FORGET, vec![user.into(), room.into(), pos.get().into()]);
    }
    aliases::write(work.rows.aliases.take(), writes);
    receipts::write(work.rows.receipts.take(), writes);
    thread_subscriptions::write(work.rows.subscriptions.take(), writes);
    notices::write(work.rows.notices.take(), writes);
    guests::write(work.rows.guests.take(), writes);
    networks::write(work.rows.networks.take(), writes);
    work.delayed.write(writes);
    Ok(())
}

/// One row for each room that changed, as it stands at the end of the batch.
fn room_rows(work: &mut RoomsWork) -> Result<Vec<Vec<Value>>, StoreError> {
    let mut changed = work.rows.touched_rooms.take();
    changed.sort_unstable();
    changed.dedup();
    let row = |key: i64| {
        let room = work.rooms.get(&key);
        let room =
            room.ok_or_else(|| StoreError::Damaged("a changed room is unknown".to_owned()))?;
        Ok(vec![
            key.into(),
            room.version().as_str().into(),
            room.head.event_id.as_str().into(),
            room.depth.into(),
            room.last_pos.get().into(),
            room.state_pos.get().into(),
            room.published.into(),
            room.bump_pos.get().into(),
            room.notices_for.into(),
        ])
    };
    changed.into_iter().map(row).collect()
}

fn event_row(row: EventRow) -> Vec<Value> {
    let facts = row.pdu.facts();
    let (relation_type, relates_to) = match facts.relation {
        Some(relation) => (Some(relation.rel_type), Some(relation.event_id.to_string())),
        None => (None, None),
    };
    let pos = row.pos.get();
    vec![
        row.pdu.event_id().as_str().into(),
        row.room.into(),
        pos.into(),
        // Live: its place in the timeline is the position of its commit.
        pos.into(),
        row.pdu.depth().into(),
        row.pdu.type_name().into(),
        row.pdu.state_key().into(),
        row.sender.into(),
        row.pdu.origin_server_ts().as_millis().into(),
        relation_type.into(),
        relates_to.into(),
        row.pdu.redacts().map(ruma::EventId::as_str).into(),
        facts.has_url.into(),
        false.into(),
        row.sealed.into(),
    ]
}

fn state_row(row: &StateRow) -> Vec<Value> {
    let pos = row.pos.get();
    vec![
        row.room.into(),
        row.pdu.type_name().into(),
        row.pdu.state_key().unwrap_or_default().into(),
        pos.into(),
        pos.into(),
        row.pdu.event_id().as_str().into(),
        row.pdu.membership().map(ToString::to_string).into(),
    ]
}

/// The last membership of each user in each room: one statement may not change a row twice.
fn membership_rows(work: &mut RoomsWork) -> Vec<Vec<Value>> {
    let mut last = HashMap::new();
    for row in work.rows.memberships.take() {
        last.insert((row.user, row.room), row);
    }
    last.into_values()
        .map(|row| {
            vec![
                row.user.into(),
                row.room.into(),
                row.membership.into(),
                row.event_id.as_str().into(),
                row.pos.get().into(),
                false.into(),
            ]
        })
        .collect()
}

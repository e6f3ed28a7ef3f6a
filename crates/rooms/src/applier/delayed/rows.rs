//! The rows of delayed events: as they are read, and as they are written.

use std::time::Duration;

use model::time::Timestamp;
use ruma::OwnedEventId;
use store::{ColumnType, Insert, Row, StoreError, Value, Writes};

use crate::delayed::DelayHash;

const UPDATE: &str = "UPDATE delayed_events SET running_since = $2, due = $3, finalised_at = $4, \
     outcome = $5, event_id = $6, pos = $7 WHERE hash = $1";
const RESEAL: &str = "UPDATE delayed_events SET sealed = $2 WHERE hash = $1";

pub(super) static NEW: Insert = Insert {
    table: "delayed_events",
    columns: &[
        ("hash", ColumnType::Bytes),
        ("txn_hash", ColumnType::Bytes),
        ("user_id", ColumnType::Int),
        ("room", ColumnType::Int),
        ("type", ColumnType::Text),
        ("state_key", ColumnType::Text),
        ("delay_ms", ColumnType::Int),
        ("running_since", ColumnType::Int),
        ("due", ColumnType::Int),
        ("finalised_at", ColumnType::Int),
        ("outcome", ColumnType::Text),
        ("event_id", ColumnType::Text),
        ("pos", ColumnType::Int),
        ("sealed", ColumnType::Bytes),
    ],
    on_conflict: "",
};

/// A delayed event as the checks see it.
#[derive(Clone)]
pub(super) struct DelayedRow {
    pub(super) user: i64,
    pub(super) room: i64,
    pub(super) delay: Duration,
    pub(super) running_since: Timestamp,
    /// When it is sent; `None` once its fate is decided.
    pub(super) due: Option<Timestamp>,
    pub(super) finalised_at: Option<Timestamp>,
    pub(super) outcome: Option<&'static str>,
    pub(super) event_id: Option<OwnedEventId>,
    pub(super) pos: i64,
    /// What only a new row writes.
    pub(super) new: Option<NewColumns>,
    /// What is sealed from now on, if it is not what was.
    pub(super) sealed: Option<Vec<u8>>,
}

/// What only a new row has to say.
#[derive(Clone)]
pub(super) struct NewColumns {
    pub(super) txn_hash: DelayHash,
    pub(super) kind: String,
    pub(super) state_key: Option<String>,
}

/// It was sent.
pub(super) const SENT: &str = "sent";
/// Somebody cancelled it.
pub(super) const CANCELLED: &str = "cancelled";
/// It could not be sent.
pub(super) const FAILED: &str = "failed";

pub(super) fn row_of(hash: &DelayHash, row: &DelayedRow, columns: &NewColumns) -> Vec<Value> {
    let millis = |moment: Option<Timestamp>| moment.map(Timestamp::as_millis);
    vec![
        hash[..].into(),
        columns.txn_hash[..].into(),
        row.user.into(),
        row.room.into(),
        columns.kind.as_str().into(),
        columns.state_key.as_deref().into(),
        i64::try_from(row.delay.as_millis())
            .unwrap_or(i64::MAX)
            .into(),
        row.running_since.as_millis().into(),
        millis(row.due).into(),
        millis(row.finalised_at).into(),
        row.outcome.into(),
        row.event_id.as_ref().map(|id| id.as_str()).into(),
        row.pos.into(),
        row.sealed.clone().unwrap_or_default().into(),
    ]
}

pub(super) fn update(hash: &DelayHash, row: &DelayedRow, writes: &mut Writes) {
    let millis = |moment: Option<Timestamp>| moment.map(Timestamp::as_millis);
    let params = vec![
        hash[..].into(),
        row.running_since.as_millis().into(),
        millis(row.due).into(),
        millis(row.finalised_at).into(),
        row.outcome.into(),
        row.event_id.as_ref().map(|id| id.as_str()).into(),
        row.pos.into(),
    ];
    writes.execute(UPDATE, params);
    if let Some(sealed) = &row.sealed {
        writes.execute(RESEAL, vec![hash[..].into(), sealed.clone().into()]);
    }
}

pub(super) fn hash_at(row: &Row, index: usize) -> Result<DelayHash, StoreError> {
    let hash = row.bytes(index)?.try_into();
    hash.map_err(|_| StoreError::Damaged("delayed_events.hash".to_owned()))
}

pub(super) fn delayed_row(row: &Row) -> Result<DelayedRow, StoreError> {
    let damaged = |column: &str| StoreError::Damaged(format!("delayed_events.{column}"));
    let outcome = match row.opt_text(7)? {
        None => None,
        Some(SENT) => Some(SENT),
        Some(CANCELLED) => Some(CANCELLED),
        Some(FAILED) => Some(FAILED),
        Some(_) => return Err(damaged("outcome")),
    };
    let event_id = row.opt_text(8)?.map(OwnedEventId::try_from).transpose();
    Ok(DelayedRow {
        user: row.int(1)?,
        room: row.int(2)?,
        delay: Duration::from_millis(u64::try_from(row.int(3)?).map_err(|_| damaged("delay_ms"))?),
        running_since: Timestamp::from_millis(row.int(4)?),
        due: row.opt_int(5)?.map(Timestamp::from_millis),
        finalised_at: row.opt_int(6)?.map(Timestamp::from_millis),
        outcome,
        event_id: event_id.map_err(|_| damaged("event_id"))?,
        pos: 0,
        new: None,
        sealed: None,
    })
}

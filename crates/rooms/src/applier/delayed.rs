//! Delayed events under the lock: what waits, and what becomes of it.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use futures_util::future::try_join_all;
use model::time::Timestamp;
use ruma::{OwnedEventId, OwnedUserId};
use seal::{Month, Scope};
use store::{
    CheckContext, ColumnType, Insert, Journal, Layered, Row, Staged, StoreError, Tx, Verdict,
    Writes,
};

use super::{RoomsWork, hex};
use crate::{
    NewDelayed, NewEvent, Rooms, RoomsOutcome, RoomsRefusal,
    change::DelayedStep,
    create::EVENT_OVERHEAD_BYTES,
    delayed::{DelayHash, MAX_SCHEDULED, REMEMBERED, delayed_place},
};

const FIND: &str = "SELECT hash, user_id, room, delay_ms, running_since, due, finalised_at, \
     outcome, event_id FROM delayed_events WHERE hash = $1";
const FIND_TRANSACTION: &str = "SELECT hash FROM delayed_events WHERE txn_hash = $1";
const COUNT: &str =
    "SELECT COUNT(*), MIN(due) FROM delayed_events WHERE user_id = $1 AND due IS NOT NULL";

const UPDATE: &str = "UPDATE delayed_events SET running_since = $2, due = $3, finalised_at = $4, \
     outcome = $5, event_id = $6, pos = $7 WHERE hash = $1";
const RESEAL: &str = "UPDATE delayed_events SET sealed = $2 WHERE hash = $1";
const TRIM: &str = "DELETE FROM delayed_events WHERE user_id = $1 AND finalised_at IS NOT NULL \
     AND pos <= (SELECT pos FROM delayed_events WHERE user_id = $1 AND finalised_at IS NOT NULL \
     ORDER BY pos DESC LIMIT 1 OFFSET $2)";
const FORGET: &str = "DELETE FROM delayed_events WHERE hash IN \
     (SELECT hash FROM delayed_events WHERE finalised_at < $1 LIMIT 1000)";
const DROP_USER: &str = "DELETE FROM delayed_events WHERE user_id = $1";

static NEW: Insert = Insert {
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
struct DelayedRow {
    user: i64,
    room: i64,
    delay: Duration,
    running_since: Timestamp,
    /// When it is sent; `None` once its fate is decided.
    due: Option<Timestamp>,
    finalised_at: Option<Timestamp>,
    outcome: Option<&'static str>,
    event_id: Option<OwnedEventId>,
    pos: i64,
    /// What only a new row writes.
    new: Option<NewColumns>,
    /// What is sealed from now on, if it is not what was.
    sealed: Option<Vec<u8>>,
}

#[derive(Clone)]
struct NewColumns {
    txn_hash: DelayHash,
    kind: String,
    state_key: Option<String>,
}

/// How many a user has waiting, and when the first of them is sent.
#[derive(Clone, Copy, Default)]
struct Waiting {
    count: i64,
    first: Option<Timestamp>,
}

const SENT: &str = "sent";
const CANCELLED: &str = "cancelled";
const FAILED: &str = "failed";

/// What a batch's changes name of delayed events.
#[derive(Default)]
pub(super) struct NamedDelayed {
    hashes: BTreeSet<DelayHash>,
    transactions: BTreeSet<DelayHash>,
    schedulers: BTreeSet<OwnedUserId>,
}

impl NamedDelayed {
    pub(super) fn add(&mut self, step: &DelayedStep) {
        match step {
            DelayedStep::Schedule(new) => {
                self.transactions.insert(new.txn_hash);
                self.schedulers.insert(new.sender.clone());
            }
            DelayedStep::Restart { hash }
            | DelayedStep::Cancel { hash }
            | DelayedStep::Fire { hash, .. }
            | DelayedStep::Fail { hash, .. } => drop(self.hashes.insert(*hash)),
            DelayedStep::DropUser { .. } | DelayedStep::Forget { .. } => {}
        }
    }
}

/// What one attempt at a batch knows of delayed events.
#[derive(Default)]
pub(super) struct DelayedWork {
    rows: Staged<DelayHash, DelayedRow>,
    transactions: Layered<DelayHash, DelayHash>,
    /// By user, for those who schedule something.
    waiting: Layered<i64, Waiting>,
    /// Whose remembered ones may be too many.
    trimmed: Journal<i64>,
    dropped: Journal<i64>,
    /// The moments before which fates are forgotten.
    forgotten: Journal<Timestamp>,
}

impl DelayedWork {
    pub(super) async fn read(
        tx: &Tx,
        named: &NamedDelayed,
        user_ids: &HashMap<OwnedUserId, i64>,
    ) -> Result<Self, StoreError> {
        let mut work = Self::default();
        let reading = named.hashes.iter().map(|hash| async move {
            let row = tx.query_opt(FIND, &[hash[..].into()]).await?;
            Ok::<_, StoreError>((*hash, row))
        });
        for (hash, row) in try_join_all(reading).await? {
            if let Some(row) = row {
                work.rows.load(hash, delayed_row(&row)?);
            }
        }
        for transaction in &named.transactions {
            let params = [transaction[..].into()];
            if let Some(row) = tx.query_opt(FIND_TRANSACTION, &params).await? {
                work.transactions.load(*transaction, hash_at(&row, 0)?);
            }
        }
        for user in named.schedulers.iter().filter_map(|id| user_ids.get(id)) {
            if let Some(row) = tx.query_opt(COUNT, &[(*user).into()]).await? {
                let count = row.int(0)?;
                let first = row.opt_int(1)?.map(Timestamp::from_millis);
                work.waiting.load(*user, Waiting { count, first });
            }
        }
        Ok(work)
    }

    pub(super) fn settle(&mut self, keep: bool) {
        self.rows.settle(keep);
        self.transactions.settle(keep);
        self.waiting.settle(keep);
        self.trimmed.settle(keep);
        self.dropped.settle(keep);
        self.forgotten.settle(keep);
    }

    /// What is wanted of an event, as it stands now.
    fn row(&self, hash: &DelayHash) -> Result<DelayedRow, RoomsRefusal> {
        let row = self.rows.get(hash).cloned();
        row.ok_or(RoomsRefusal::NoSuchDelayedEvent)
    }

    /// Decides an event's fate.
    fn finalise(
        &mut self,
        hash: &DelayHash,
        row: DelayedRow,
        (outcome, event_id): (&'static str, Option<OwnedEventId>),
        context: &CheckContext<'_>,
    ) {
        let user = row.user;
        let decided = DelayedRow {
            due: None,
            finalised_at: Some(context.now()),
            outcome: Some(outcome),
            event_id,
            pos: context.pos().get(),
            ..row
        };
        self.rows.put(*hash, decided);
        if let Some(waiting) = self.waiting.get(&user).copied() {
            let count = waiting.count - 1;
            self.waiting.stage(user, Waiting { count, ..waiting });
        }
        self.trimmed.push(user);
    }

    pub(super) fn write(&mut self, writes: &mut Writes) {
        let mut new = Vec::new();
        for (hash, row) in self.rows.written() {
            match &row.new {
                Some(columns) => new.push(row_of(hash, row, columns)),
                None => update(hash, row, writes),
            }
        }
        writes.insert(&NEW, new);
        let trimmed: BTreeSet<i64> = self.trimmed.take().into_iter().collect();
        for user in trimmed {
            writes.execute(TRIM, vec![user.into(), REMEMBERED.into()]);
        }
        for before in self.forgotten.take() {
            writes.execute(FORGET, vec![before.as_millis().into()]);
        }
        // Last: what the same batch made of theirs goes too.
        for user in self.dropped.take() {
            writes.execute(DROP_USER, vec![user.into()]);
        }
    }
}

/// About what a change takes of a batch.
pub(super) fn size_bytes(step: &DelayedStep) -> usize {
    match step {
        DelayedStep::Schedule(new) => EVENT_OVERHEAD_BYTES + new.text.len(),
        DelayedStep::Fire { event, .. } => EVENT_OVERHEAD_BYTES + event.size_bytes,
        DelayedStep::Fail { text, .. } => EVENT_OVERHEAD_BYTES + text.len(),
        _ => 512,
    }
}

impl Rooms {
    pub(super) fn check_delayed(
        &self,
        work: &mut RoomsWork,
        step: &DelayedStep,
        context: &mut CheckContext<'_>,
    ) -> Result<Verdict<RoomsOutcome>, RoomsRefusal> {
        match step {
            DelayedStep::Schedule(new) => check_schedule(work, new, context),
            DelayedStep::Restart { hash } => check_restart(work, hash, context),
            DelayedStep::Cancel { hash } => check_cancel(work, hash, context),
            DelayedStep::Fire { hash, early, event } => {
                self.check_fire(work, (hash, *early), event, context)
            }
            DelayedStep::Fail {
                hash,
                running_since,
                text,
                ..
            } => check_fail(work, (hash, *running_since), text, context),
            DelayedStep::DropUser { user_id } => {
                let user = work.user(user_id);
                work.delayed.dropped.push(user);
                Ok(Verdict::Apply(RoomsOutcome::Done))
            }
            DelayedStep::Forget { before } => {
                work.delayed.forgotten.push(*before);
                Ok(Verdict::Apply(RoomsOutcome::Done))
            }
        }
    }

    /// Sends the event, as if it was sent at this place in the log, and ends its waiting.
    fn check_fire(
        &self,
        work: &mut RoomsWork,
        (hash, early): (&DelayHash, bool),
        event: &NewEvent,
        context: &mut CheckContext<'_>,
    ) -> Result<Verdict<RoomsOutcome>, RoomsRefusal> {
        let nothing = Ok(Verdict::Nothing(RoomsOutcome::Done));
        let row = match work.delayed.row(hash) {
            Ok(row) => row,
            Err(_) if !early => return nothing,
            Err(refusal) => return Err(refusal),
        };
        match (row.due, row.outcome) {
            // Another node was faster, or it was restarted.
            (None, _) if !early => return nothing,
            (Some(due), _) if !early && due > context.now() => return nothing,
            (None, Some(SENT)) => return nothing,
            (None, outcome) => return Err(decided(outcome)),
            (Some(_), _) => {}
        }
        let (Verdict::Apply(outcome) | Verdict::Nothing(outcome) | Verdict::Already(outcome)) =
            self.check_event(work, event, context)?;
        let event_id = match &outcome {
            RoomsOutcome::Event { event_id, .. } => Some(event_id.clone()),
            RoomsOutcome::Scheduled(_) | RoomsOutcome::Done => None,
        };
        work.delayed.finalise(hash, row, (SENT, event_id), context);
        Ok(Verdict::Apply(outcome))
    }
}

fn check_schedule(
    work: &mut RoomsWork,
    new: &NewDelayed,
    context: &mut CheckContext<'_>,
) -> Result<Verdict<RoomsOutcome>, RoomsRefusal> {
    if let Some(stands) = work.delayed.transactions.get(&new.txn_hash) {
        return Ok(Verdict::Already(RoomsOutcome::Scheduled(*stands)));
    }
    let room = work.room(&new.room_id)?;
    if !room.state.is_joined(&new.sender) {
        let sentence = "you are not in this room";
        return Err(RoomsRefusal::Forbidden(sentence.to_owned()));
    }
    let user = work.user(&new.sender);
    let waiting = work.delayed.waiting.get(&user).copied().unwrap_or_default();
    let now = context.now();
    if waiting.count >= MAX_SCHEDULED {
        let first = waiting.first.unwrap_or(now);
        let retry_after = first.since(now).max(Duration::from_secs(1));
        return Err(RoomsRefusal::TooManyScheduled { retry_after });
    }
    let sealed = seal_text(work, room.room, &new.hash, &new.text)?;
    let due = now.plus(new.delay);
    let row = DelayedRow {
        user,
        room: room.room,
        delay: new.delay,
        running_since: now,
        due: Some(due),
        finalised_at: None,
        outcome: None,
        event_id: None,
        pos: context.pos().get(),
        new: Some(NewColumns {
            txn_hash: new.txn_hash,
            kind: new.kind.clone(),
            state_key: new.state_key.clone(),
        }),
        sealed: Some(sealed),
    };
    work.delayed.rows.put(new.hash, row);
    work.delayed.transactions.stage(new.txn_hash, new.hash);
    let first = waiting.first.map_or(due, |first| first.min(due));
    let waiting = Waiting {
        count: waiting.count + 1,
        first: Some(first),
    };
    work.delayed.waiting.stage(user, waiting);
    Ok(Verdict::Apply(RoomsOutcome::Scheduled(new.hash)))
}

fn check_restart(
    work: &mut RoomsWork,
    hash: &DelayHash,
    context: &mut CheckContext<'_>,
) -> Result<Verdict<RoomsOutcome>, RoomsRefusal> {
    let row = work.delayed.row(hash)?;
    if row.due.is_none() {
        // Of what was sent nothing is left to restart; clients then schedule anew.
        return Err(match row.outcome {
            Some(SENT) => RoomsRefusal::NoSuchDelayedEvent,
            outcome => decided(outcome),
        });
    }
    let now = context.now();
    let row = DelayedRow {
        running_since: now,
        due: Some(now.plus(row.delay)),
        pos: context.pos().get(),
        ..row
    };
    work.delayed.rows.put(*hash, row);
    Ok(Verdict::Apply(RoomsOutcome::Done))
}

fn check_cancel(
    work: &mut RoomsWork,
    hash: &DelayHash,
    context: &mut CheckContext<'_>,
) -> Result<Verdict<RoomsOutcome>, RoomsRefusal> {
    let row = work.delayed.row(hash)?;
    match (row.due, row.outcome) {
        (None, Some(SENT)) => Err(decided(Some(SENT))),
        (None, _) => Ok(Verdict::Nothing(RoomsOutcome::Done)),
        (Some(_), _) => {
            work.delayed.finalise(hash, row, (CANCELLED, None), context);
            Ok(Verdict::Apply(RoomsOutcome::Done))
        }
    }
}

fn check_fail(
    work: &mut RoomsWork,
    (hash, running_since): (&DelayHash, Timestamp),
    text: &[u8],
    context: &mut CheckContext<'_>,
) -> Result<Verdict<RoomsOutcome>, RoomsRefusal> {
    let row = work.delayed.row(hash)?;
    if row.due.is_none() || row.running_since != running_since {
        return Ok(Verdict::Nothing(RoomsOutcome::Done));
    }
    let sealed = seal_text(work, row.room, hash, text)?;
    let row = DelayedRow {
        sealed: Some(sealed),
        ..row
    };
    work.delayed.finalise(hash, row, (FAILED, None), context);
    Ok(Verdict::Apply(RoomsOutcome::Done))
}

fn decided(outcome: Option<&'static str>) -> RoomsRefusal {
    RoomsRefusal::DelayedDecided(outcome.unwrap_or(CANCELLED))
}

fn seal_text(
    work: &RoomsWork,
    room: i64,
    hash: &DelayHash,
    text: &[u8],
) -> Result<Vec<u8>, RoomsRefusal> {
    let scope = Scope::Room {
        room,
        month: Month::of(work.now),
    };
    work.keys
        .seal(scope, delayed_place(&hex(hash)), text)
        .map_err(|error| RoomsRefusal::Invalid(error.to_string()))
}

fn row_of(hash: &DelayHash, row: &DelayedRow, columns: &NewColumns) -> Vec<store::Value> {
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

fn update(hash: &DelayHash, row: &DelayedRow, writes: &mut Writes) {
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

fn hash_at(row: &Row, index: usize) -> Result<DelayHash, StoreError> {
    let hash = row.bytes(index)?.try_into();
    hash.map_err(|_| StoreError::Damaged("delayed_events.hash".to_owned()))
}

fn delayed_row(row: &Row) -> Result<DelayedRow, StoreError> {
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

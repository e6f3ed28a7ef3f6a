//! Delayed events under the lock: what waits, and what becomes of it.

mod rows;
mod work;

use std::time::Duration;

use model::time::Timestamp;
use seal::{Month, Scope};
use store::{CheckContext, Verdict};

use self::{
    rows::{CANCELLED, DelayedRow, FAILED, NewColumns, SENT},
    work::Waiting,
};
use super::{RoomsWork, hex};
use crate::{
    NewDelayed, NewEvent, Rooms, RoomsOutcome, RoomsRefusal,
    change::DelayedStep,
    create::EVENT_OVERHEAD_BYTES,
    delayed::{DelayHash, MAX_SCHEDULED, delayed_place},
};

pub(super) use self::work::{DelayedWork, NamedDelayed};

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
    let (user, now) = (work.user(&new.sender), context.now());
    take_place(work, user, now, now.plus(new.delay))?;
    let sealed = seal_text(work, room.room, &new.hash, &new.text)?;
    let row = DelayedRow {
        user,
        room: room.room,
        delay: new.delay,
        running_since: now,
        due: Some(now.plus(new.delay)),
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
    Ok(Verdict::Apply(RoomsOutcome::Scheduled(new.hash)))
}

/// Takes one of the places that a user has for what waits.
fn take_place(
    work: &mut RoomsWork,
    user: i64,
    now: Timestamp,
    due: Timestamp,
) -> Result<(), RoomsRefusal> {
    let waiting = work.delayed.waiting.get(&user).copied().unwrap_or_default();
    if waiting.count >= MAX_SCHEDULED {
        let first = waiting.first.unwrap_or(now);
        let retry_after = first.since(now).max(Duration::from_secs(1));
        return Err(RoomsRefusal::TooManyScheduled { retry_after });
    }
    let waiting = Waiting {
        count: waiting.count + 1,
        first: Some(waiting.first.map_or(due, |first| first.min(due))),
    };
    work.delayed.waiting.stage(user, waiting);
    Ok(())
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

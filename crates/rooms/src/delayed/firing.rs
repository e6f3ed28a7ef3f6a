//! Sending what is due, exactly once, whichever nodes try.
//!
//! Every node looks; the log decides. An intent that sends an event stands only while the event
//! still waits, so of two nodes one sends it, and of a node that was killed in between either the
//! whole of it or nothing is there.

use std::{pin::pin, time::Duration};

use futures_util::future::{Either, join_all, select};
use model::time::Timestamp;
use ruma::{OwnedUserId, events::TimelineEventType};
use store::{Intent, Log, Snapshot, StoreError};

use super::{DelayedEvent, DelayedFailure, DelayedText};
use crate::{Rooms, RoomsChange, RoomsError, RoomsRefusal, change::DelayedStep};

/// How often a node looks even if nothing tells it to: the time of day may have been set.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// How many due events are opened at once.
const PAGE: usize = 64;

const DUE: &str = "SELECT hash, sealed, user_id, room, type, state_key, delay_ms, running_since, \
     finalised_at, outcome, event_id, due, pos FROM delayed_events \
     WHERE due IS NOT NULL AND due <= $1 AND (due, pos) > ($2, $3) ORDER BY due, pos LIMIT 64";

const NEXT: &str = "SELECT MIN(due) FROM delayed_events WHERE due > $1";

impl Rooms {
    /// Sends what is due, when it is due, for as long as it is polled.
    ///
    /// Dropping it loses nothing: another node, or the next start, goes on.
    pub async fn send_delayed_regularly(&self, log: &Log) {
        loop {
            let wait = match self.send_due(log).await {
                Ok(Some(next)) => next.since(self.clock().now()).min(LOOK_EVERY),
                Ok(None) => LOOK_EVERY,
                Err(error) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(error, "delayed events wait a little longer");
                    LOOK_EVERY
                }
            };
            let scheduled = pin!(self.schedules().scheduled());
            match select(scheduled, self.clock().sleep(wait)).await {
                Either::Left(((), _)) | Either::Right(((), _)) => {}
            }
        }
    }

    /// Sends everything that is due now; gives the moment at which the next is.
    pub async fn send_due(&self, log: &Log) -> Result<Option<Timestamp>, StoreError> {
        log.barrier().await?;
        let now = self.clock().now();
        let mut after = (i64::MIN, i64::MIN);
        let mut failed = Ok(());
        loop {
            let snapshot = self.snapshot().await?;
            let params = [now.as_millis().into(), after.0.into(), after.1.into()];
            let rows = snapshot.query(DUE, &params).await?;
            let mut events = Vec::with_capacity(rows.len());
            for row in &rows {
                after = (row.int(11)?, row.int(12)?);
                match self.open_due(&snapshot, row).await {
                    Ok(event) => events.push(event),
                    // One that is damaged holds up no other.
                    Err(error @ StoreError::Damaged(_)) => {
                        tracing::error!(%error, "a delayed event cannot be sent");
                    }
                    Err(error) => return Err(error),
                }
            }
            drop(snapshot);
            let sending = events.iter().map(|due| self.send_or_fail(log, due));
            // One that fails holds up no other.
            for sent in join_all(sending).await {
                failed = failed.and(sent);
            }
            if rows.len() < PAGE {
                break;
            }
        }
        failed?;
        let params = [now.as_millis().into()];
        let next = log.database().query_opt(NEXT, &params).await?;
        let next = next.map_or(Ok(None), |row| row.opt_int(0))?;
        Ok(next.map(Timestamp::from_millis))
    }

    /// Sends an event now that waits; what refuses it is told, and it waits on.
    pub async fn send_delayed_now(&self, log: &Log, delay_id: &str) -> Result<(), RoomsError> {
        let hash = self.delay_hash(delay_id);
        let snapshot = self.snapshot().await?;
        let found = self.find_due(&snapshot, &hash).await?;
        drop(snapshot);
        let due = found.ok_or(RoomsRefusal::NoSuchDelayedEvent)?;
        self.fire(log, &due, true).await
    }

    async fn find_due(
        &self,
        snapshot: &Snapshot,
        hash: &[u8; 32],
    ) -> Result<Option<Due>, StoreError> {
        let Some(event) = self.delayed_by_hash(hash).await? else {
            return Ok(None);
        };
        self.due(snapshot, event).await.map(Some)
    }

    async fn open_due(&self, snapshot: &Snapshot, row: &store::Row) -> Result<Due, StoreError> {
        let event = self.open_one(snapshot, row).await?;
        self.due(snapshot, event).await
    }

    async fn due(&self, snapshot: &Snapshot, event: DelayedEvent) -> Result<Due, StoreError> {
        let sender = self.user_id(snapshot, event.user).await?;
        Ok(Due { event, sender })
    }

    /// Sends an event whose time has come; one that is refused is not tried again.
    async fn send_or_fail(&self, log: &Log, due: &Due) -> Result<(), StoreError> {
        let failure = match self.fire(log, due, false).await {
            Ok(()) => return Ok(()),
            Err(RoomsError::Refused(refusal)) => DelayedFailure::of(&refusal),
            Err(RoomsError::Elsewhere(error)) => match error {
                store::CommitError::Refused { .. } => DelayedFailure::elsewhere(),
                store::CommitError::Store(error) => return Err(error),
            },
            Err(RoomsError::Store(StoreError::Refused(_))) => DelayedFailure::unhandled(),
            Err(RoomsError::Store(error)) => return Err(error),
        };
        let event = &due.event;
        let text = DelayedText {
            id: event.delay_id.clone(),
            content: event.content.clone(),
            failure: Some(failure),
        };
        let step = DelayedStep::Fail {
            hash: event.hash,
            room_id: event.room_id.clone(),
            running_since: event.running_since,
            text: text.to_bytes(),
        };
        match self.take(log, step).await {
            Ok(()) => Ok(()),
            // Its sender's account was closed in between, and it is gone.
            Err(RoomsError::Refused(RoomsRefusal::NoSuchDelayedEvent)) => Ok(()),
            Err(RoomsError::Refused(refusal)) => Err(StoreError::Refused(refusal.to_string())),
            Err(RoomsError::Elsewhere(error)) => Err(error.into_store()),
            Err(RoomsError::Store(error)) => Err(error),
        }
    }

    /// Queues what sends an event if it still waits and, unless it is early, is due.
    async fn fire(&self, log: &Log, due: &Due, early: bool) -> Result<(), RoomsError> {
        let DelayedEvent {
            delay_id,
            room_id,
            kind,
            state_key,
            content,
            hash,
            user,
            ..
        } = &due.event;
        if state_key.is_some() && *kind == TimelineEventType::RoomCanonicalAlias {
            self.check_aliases(room_id, &due.sender, content).await?;
        }
        let draft = self.draft(
            room_id,
            &due.sender,
            kind.clone(),
            state_key.clone(),
            content.clone(),
        );
        let mut event = self.new_event(draft, None).await?;
        event.delay_id = Some(delay_id.clone());
        let mut intent = Intent::new();
        (self.options().on_delayed)(&mut intent, *user);
        let change = RoomsChange::Delayed(DelayedStep::Fire {
            hash: *hash,
            early,
            event: Box::new(event),
        });
        self.commit(log, intent, change).await.map(drop)
    }
}

/// An event that is to be sent, and by whom.
struct Due {
    event: DelayedEvent,
    sender: OwnedUserId,
}

//! What one attempt at a batch knows of delayed events.

use std::collections::{BTreeSet, HashMap};

use futures_util::future::try_join_all;
use model::time::Timestamp;
use ruma::{OwnedEventId, OwnedUserId};
use store::{CheckContext, Journal, Layered, Staged, StoreError, Tx, Writes};

use super::rows::{DelayedRow, NEW, delayed_row, hash_at, row_of, update};
use crate::{
    RoomsRefusal,
    change::DelayedStep,
    delayed::{DelayHash, REMEMBERED},
};

const FIND: &str = "SELECT hash, user_id, room, delay_ms, running_since, due, finalised_at, \
     outcome, event_id FROM delayed_events WHERE hash = $1";
const FIND_TRANSACTION: &str = "SELECT hash FROM delayed_events WHERE txn_hash = $1";
const COUNT: &str =
    "SELECT COUNT(*), MIN(due) FROM delayed_events WHERE user_id = $1 AND due IS NOT NULL";

const TRIM: &str = "DELETE FROM delayed_events WHERE user_id = $1 AND finalised_at IS NOT NULL \
     AND pos <= (SELECT pos FROM delayed_events WHERE user_id = $1 AND finalised_at IS NOT NULL \
     ORDER BY pos DESC LIMIT 1 OFFSET $2)";
const FORGET: &str = "DELETE FROM delayed_events WHERE hash IN \
     (SELECT hash FROM delayed_events WHERE finalised_at < $1 LIMIT 1000)";
const DROP_USER: &str = "DELETE FROM delayed_events WHERE user_id = $1";

/// How many a user has waiting, and when the first of them is sent.
#[derive(Clone, Copy, Default)]
pub(super) struct Waiting {
    pub(super) count: i64,
    pub(super) first: Option<Timestamp>,
}

/// What a batch's changes name of delayed events.
#[derive(Default)]
pub(in crate::applier) struct NamedDelayed {
    hashes: BTreeSet<DelayHash>,
    transactions: BTreeSet<DelayHash>,
    schedulers: BTreeSet<OwnedUserId>,
}

impl NamedDelayed {
    pub(in crate::applier) fn add(&mut self, step: &DelayedStep) {
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
pub(in crate::applier) struct DelayedWork {
    pub(super) rows: Staged<DelayHash, DelayedRow>,
    pub(super) transactions: Layered<DelayHash, DelayHash>,
    /// By user, for those who schedule something.
    pub(super) waiting: Layered<i64, Waiting>,
    /// Whose remembered ones may be too many.
    pub(super) trimmed: Journal<i64>,
    pub(super) dropped: Journal<i64>,
    /// The moments before which fates are forgotten.
    pub(super) forgotten: Journal<Timestamp>,
}

impl DelayedWork {
    pub(in crate::applier) async fn read(
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

    pub(in crate::applier) fn settle(&mut self, keep: bool) {
        self.rows.settle(keep);
        self.transactions.settle(keep);
        self.waiting.settle(keep);
        self.trimmed.settle(keep);
        self.dropped.settle(keep);
        self.forgotten.settle(keep);
    }

    /// What is wanted of an event, as it stands now.
    pub(super) fn row(&self, hash: &DelayHash) -> Result<DelayedRow, RoomsRefusal> {
        let row = self.rows.get(hash).cloned();
        row.ok_or(RoomsRefusal::NoSuchDelayedEvent)
    }

    /// Decides an event's fate.
    pub(super) fn finalise(
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

    pub(in crate::applier) fn write(&mut self, writes: &mut Writes) {
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

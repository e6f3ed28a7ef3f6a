//! One attempt at a batch: lock, prepare, check, write and commit.

use std::{
    any::Any,
    collections::HashSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use futures_util::{FutureExt, future::try_join_all};
use model::time::Timestamp;
use uuid::Uuid;

use super::{
    Batch, CommitError, Committed, Pos, Shared, TAIL, TAIL_ROWS, Touched,
    applier::{AnyOutcome, AnyWork, CheckContext, ErasedApplier, Verdict},
    committer::Queued,
    transaction,
};
use crate::{
    ColumnType, Insert, Mark, StoreError, Tx, Value, Writes,
    engine::{ReaderKind, postgres::CommitFailure},
};

/// How an attempt ended without being acknowledged.
pub(crate) enum Failure {
    /// A statement was refused or took too long: one of the intents is the culprit.
    Statement(StoreError),
    /// The same batch may succeed on this connection.
    Transient(StoreError),
    /// The connection was lost before COMMIT was sent: nothing stands.
    Lost(StoreError),
    /// COMMIT was sent and not answered.
    Unknown {
        error: StoreError,
        outcome: Box<Outcome>,
    },
}

impl Failure {
    /// The log was not locked: no intent is at fault.
    fn before_lock(error: StoreError) -> Self {
        if error.is_timeout() {
            Self::Transient(error)
        } else {
            Self::before_commit(error)
        }
    }

    fn before_commit(error: StoreError) -> Self {
        if error.is_disconnect() {
            Self::Lost(error)
        } else if error.is_conflict() {
            Self::Transient(error)
        } else {
            Self::Statement(error)
        }
    }

    pub(crate) fn into_error(self) -> StoreError {
        match self {
            Self::Statement(error) if !error.is_timeout() => error,
            Self::Statement(error)
            | Self::Transient(error)
            | Self::Lost(error)
            | Self::Unknown { error, .. } => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "a batch could not be committed"
                );
                StoreError::Unavailable("the change could not be committed; try again".to_owned())
            }
        }
    }
}

/// What an attempt will answer once its commit is known to stand.
pub(crate) struct Outcome {
    built: Built,
    tx: Tx,
}

/// What an attempt has made inside its transaction, and will write at its end.
struct Built {
    batch_id: Uuid,
    writes: Writes,
    works: Vec<Option<AnyWork>>,
    answers: Vec<Result<Committed, CommitError>>,
    /// The batch as subscribers see it; `None` when nothing was changed.
    batch: Option<Batch>,
}

static INSERT_BATCH: Insert = Insert {
    table: "log",
    columns: &[
        ("log_id", ColumnType::Int),
        ("first_pos", ColumnType::Int),
        ("last_pos", ColumnType::Int),
        ("batch_id", ColumnType::Text),
        ("at", ColumnType::Int),
        ("touched", ColumnType::Text),
    ],
    on_conflict: "",
};

/// A transaction that holds the log's lock.
pub(crate) struct Locked {
    tx: Tx,
    head: Pos,
}

/// Locks the log, and applies what other nodes committed.
pub(crate) async fn lock(shared: &Shared, kind: ReaderKind) -> Result<Locked, Failure> {
    let tx = Tx::new(kind, shared.database.names().clone());
    match begin(shared, &tx).await {
        Ok(head) => Ok(Locked { tx, head }),
        Err(error) => Err(rolled_back(&tx, Failure::before_lock(error)).await),
    }
}

/// Runs a batch in the transaction that holds the lock, and ends it.
pub(crate) async fn run(
    shared: &Shared,
    Locked { tx, head }: Locked,
    batch: &[Queued],
) -> Result<Vec<Result<Committed, CommitError>>, Failure> {
    // A panic of an applier is one intent's fault, like a statement that fails.
    let built = AssertUnwindSafe(build(shared, &tx, batch, head)).catch_unwind();
    let built = built.await.unwrap_or_else(|_| {
        let sentence = "this change could not be handled".to_owned();
        Err(StoreError::Refused(sentence))
    });
    let mut built = match built {
        Ok(built) => built,
        Err(error) => return Err(rolled_back(&tx, Failure::before_commit(error)).await),
    };
    if built.batch.is_none() {
        // Nothing was changed, so nothing is written either: not even an interned name.
        transaction::rollback(&tx).await.map_err(Failure::Lost)?;
        return Ok(built.answers);
    }
    let writes = std::mem::take(&mut built.writes);
    let finished = transaction::finish(&tx, &writes).await;
    let outcome = Outcome { built, tx };
    match finished {
        Ok(()) => Ok(outcome.conclude(shared)),
        Err(CommitFailure::RolledBack(error)) => Err(Failure::before_commit(error)),
        Err(CommitFailure::Unknown(error)) => Err(Failure::Unknown {
            error,
            outcome: Box::new(outcome),
        }),
    }
}

/// What cannot be rolled back is lost with its connection.
async fn rolled_back(tx: &Tx, failure: Failure) -> Failure {
    match transaction::rollback(tx).await {
        Ok(()) => failure,
        Err(error) => Failure::Lost(error),
    }
}

impl Outcome {
    /// The batch's id in the log.
    pub(crate) fn batch_id(&self) -> Uuid {
        self.built.batch_id
    }

    /// The commit stands: tells the caches and the subscribers, and gives the answers.
    pub(crate) fn conclude(self, shared: &Shared) -> Vec<Result<Committed, CommitError>> {
        self.tx.run_after_commit();
        let Some(batch) = self.built.batch else {
            return self.built.answers;
        };
        if let Some(history) = shared.database.history() {
            history.note(Mark::new(batch.last_pos, self.built.batch_id));
        }
        shared.committed.send_replace(batch.last_pos);
        let mut lately = shared.lately.write();
        if lately.head().next() == batch.first_pos {
            for (applier, work) in shared.appliers.iter().zip(self.built.works) {
                if let Some(work) = work {
                    take_over(&**applier, work, batch.last_pos);
                }
            }
        } else {
            // The tail saw this batch first, perhaps with later ones behind it.
            shared.forget(&batch);
        }
        if lately.head() < batch.last_pos {
            lately.note(&batch);
            drop(shared.batches.send(Arc::new(batch)));
        }
        self.built.answers
    }
}

/// Lets an applier's caches take what the batch made. The batch stands whatever happens here:
/// an applier that panics has to read everything anew.
fn take_over(applier: &dyn ErasedApplier, work: AnyWork, last_pos: Pos) {
    let taken = catch_unwind(AssertUnwindSafe(|| applier.committed(work, last_pos)));
    if taken.is_err() {
        applier.forget_all(last_pos);
    }
}

async fn build(shared: &Shared, tx: &Tx, batch: &[Queued], head: Pos) -> Result<Built, StoreError> {
    let mut works = prepare(shared, tx, batch).await?;
    if tx.has_failed() {
        let sentence = "a statement of this change failed".to_owned();
        return Err(StoreError::Refused(sentence));
    }
    let (answers, mut batch) = check(shared, &mut works, batch, head);
    let batch_id = Uuid::new_v4();
    let mut writes = Writes::default();
    if let Some(batch) = &mut batch {
        tell(shared, &works, &mut batch.touched);
        writes.insert(&INSERT_BATCH, vec![log_row(batch, batch_id)]);
        for (applier, work) in shared.appliers.iter().zip(&mut works) {
            if let Some(work) = work {
                applier.write(work, &mut writes)?;
            }
        }
    }
    Ok(Built {
        batch_id,
        writes,
        works,
        answers,
        batch,
    })
}

/// Tells other nodes, where there may be some, what they need not read.
fn tell(shared: &Shared, works: &[Option<AnyWork>], touched: &mut Touched) {
    if shared.database.history().is_none() {
        return;
    }
    for (applier, work) in shared.appliers.iter().zip(works) {
        let told = work.as_ref().and_then(|work| applier.tell(work, touched));
        if let Some(told) = told {
            touched.tell(applier.kind(), told);
        }
    }
}

fn log_row(batch: &Batch, batch_id: Uuid) -> Vec<Value> {
    vec![
        1.into(),
        batch.first_pos.get().into(),
        batch.last_pos.get().into(),
        batch_id.to_string().into(),
        batch.at.as_millis().into(),
        batch.touched.encode().into(),
    ]
}

/// Locks the log and applies what other nodes committed, so that caches are true at the head.
async fn begin(shared: &Shared, tx: &Tx) -> Result<Pos, StoreError> {
    let applied = shared.applied();
    let mut rows = transaction::begin(tx, applied).await?;
    shared.still_stands()?;
    while !rows.is_empty() {
        shared.advance_by(&rows)?;
        let last = rows.last().map_or(Ok(0), |row| row.int(1))?;
        rows = if rows.len() < TAIL_ROWS {
            Vec::new()
        } else {
            tx.query(TAIL, &[last.into()]).await?
        };
    }
    Ok(shared.applied())
}

async fn prepare(
    shared: &Shared,
    tx: &Tx,
    batch: &[Queued],
) -> Result<Vec<Option<AnyWork>>, StoreError> {
    let preparing = shared
        .appliers
        .iter()
        .enumerate()
        .map(|(index, applier)| async move {
            let changes: Vec<&(dyn Any + Send + Sync)> = batch
                .iter()
                .flat_map(|queued| &queued.intent.parts)
                .filter(|(kind, _)| *kind == index)
                .map(|(_, change)| &**change)
                .collect();
            if changes.is_empty() {
                return Ok(None);
            }
            applier.prepare(tx, &changes).await.map(Some)
        });
    try_join_all(preparing).await
}

type Checked = (Vec<Result<Committed, CommitError>>, Option<Batch>);

/// Checks every intent in turn; positions go to those that stand, without gaps.
fn check(shared: &Shared, works: &mut [Option<AnyWork>], batch: &[Queued], head: Pos) -> Checked {
    let at = shared.clock.now();
    let mut last = head;
    let mut touched = Touched::default();
    let mut answers = Vec::with_capacity(batch.len());
    for queued in batch {
        let parts = &queued.intent.parts;
        let mut staged = Staged {
            last,
            at,
            touched: Touched::default(),
        };
        let outcome = staged.check_parts(shared, works, parts);
        let keep = matches!(outcome, Ok(Decision::Stands(_)));
        let involved: HashSet<usize> = parts.iter().map(|(applier, _)| *applier).collect();
        for applier in involved {
            if let Some(work) = &mut works[applier] {
                shared.appliers[applier].settle(work, keep);
            }
        }
        answers.push(match outcome {
            Ok(Decision::Stands(outcomes)) => {
                last = staged.last;
                touched.merge(staged.touched);
                Ok(Committed {
                    last_pos: last,
                    at,
                    outcomes,
                })
            }
            // Done before may mean: by an intent of this very batch.
            Ok(Decision::DoneBefore(outcomes)) => Ok(Committed {
                last_pos: last,
                at,
                outcomes,
            }),
            Err(refused) => Err(refused),
        });
    }
    let changed = (last > head).then(|| Batch {
        first_pos: head.next(),
        last_pos: last,
        at,
        touched,
    });
    (answers, changed)
}

enum Decision {
    Stands(Vec<Option<AnyOutcome>>),
    DoneBefore(Vec<Option<AnyOutcome>>),
}

/// Where one intent would leave the batch.
struct Staged {
    last: Pos,
    at: Timestamp,
    touched: Touched,
}

impl Staged {
    fn check_parts(
        &mut self,
        shared: &Shared,
        works: &mut [Option<AnyWork>],
        parts: &[(usize, Box<dyn Any + Send + Sync>)],
    ) -> Result<Decision, CommitError> {
        let mut outcomes = Vec::with_capacity(parts.len());
        for (index, change) in parts {
            let applier = &shared.appliers[*index];
            let work = works[*index]
                .as_mut()
                .expect("an applier with changes has prepared");
            let pos = self.last.next();
            let mut context = CheckContext {
                pos,
                at: self.at,
                touched: &mut self.touched,
            };
            match applier.check(work, &**change, &mut context) {
                Ok(Verdict::Apply(outcome)) => {
                    self.last = pos;
                    self.touched.add_kind(applier.kind());
                    outcomes.push(Some(outcome));
                }
                Ok(Verdict::Nothing(outcome)) => outcomes.push(Some(outcome)),
                Ok(Verdict::Already(outcome)) => {
                    let mut only: Vec<_> = parts.iter().map(|_| None).collect();
                    only[outcomes.len()] = Some(outcome);
                    return Ok(Decision::DoneBefore(only));
                }
                Err(reason) => {
                    return Err(CommitError::Refused {
                        kind: applier.kind(),
                        reason,
                    });
                }
            }
        }
        Ok(Decision::Stands(outcomes))
    }
}

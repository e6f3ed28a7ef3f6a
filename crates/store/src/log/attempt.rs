//! One attempt at a batch: lock, prepare, check, write, commit.

use std::{
    any::Any,
    collections::HashSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use futures_util::{
    FutureExt,
    future::{join_all, try_join_all},
};
use model::time::Timestamp;

use super::{
    Batch, CommitError, Committed, Pos, Shared, TAIL, Touched,
    applier::{AnyOutcome, AnyWork, CheckContext, ErasedApplier, Verdict},
    batches_of,
    committer::Queued,
};
use crate::{ColumnType, Insert, Row, StoreError, Tx, Value, engine::ReaderKind};

/// How an attempt ended without being acknowledged.
pub(crate) enum Failure {
    /// A statement was refused: one of the intents is the culprit.
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
    fn before_commit(error: StoreError) -> Self {
        if error.is_disconnect() {
            Self::Lost(error)
        } else if error.is_transient() {
            Self::Transient(error)
        } else {
            Self::Statement(error)
        }
    }

    pub(crate) fn into_error(self) -> StoreError {
        match self {
            Self::Statement(error) | Self::Unknown { error, .. } => error,
            Self::Transient(error) | Self::Lost(error) => {
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

/// What an attempt has made inside its transaction.
struct Built {
    batch_id: String,
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
/// Runs a batch in one transaction.
pub(crate) async fn run(
    shared: &Shared,
    kind: ReaderKind,
    batch: &[Queued],
) -> Result<Vec<Result<Committed, CommitError>>, Failure> {
    let tx = Tx::new(kind, shared.database.names().clone());
    // A panic of an applier is one intent's fault, like a statement that fails.
    let built = AssertUnwindSafe(build(shared, &tx, batch)).catch_unwind();
    let built = built.await.unwrap_or_else(|_| {
        let sentence = "this change could not be handled".to_owned();
        Err(StoreError::Refused(sentence))
    });
    let built = match built {
        Ok(built) => built,
        Err(error) => {
            // What cannot be rolled back is lost with its connection.
            return Err(match rollback(&tx).await {
                Ok(()) => Failure::before_commit(error),
                Err(_) => Failure::Lost(error),
            });
        }
    };
    let outcome = Outcome { built, tx };
    if outcome.built.batch.is_none() {
        // Nothing was changed, so nothing is written either: not even an interned name.
        rollback(&outcome.tx).await.map_err(Failure::Lost)?;
        return Ok(outcome.built.answers);
    }
    match commit(&outcome.tx).await {
        Ok(()) => Ok(outcome.conclude(shared)),
        Err(error) => Err(Failure::Unknown {
            error,
            outcome: Box::new(outcome),
        }),
    }
}

impl Outcome {
    /// The batch's id in the log.
    pub(crate) fn batch_id(&self) -> &str {
        &self.built.batch_id
    }

    /// The commit stands: tells the caches and the subscribers, and gives the answers.
    pub(crate) fn conclude(self, shared: &Shared) -> Vec<Result<Committed, CommitError>> {
        self.tx.run_after_commit();
        let Some(batch) = self.built.batch else {
            return self.built.answers;
        };
        shared.committed.send_replace(batch.last_pos);
        let mut applied = shared.applied.lock();
        if applied.next() == batch.first_pos {
            for (applier, work) in shared.appliers.iter().zip(self.built.works) {
                if let Some(work) = work {
                    take_over(&**applier, work, batch.last_pos);
                }
            }
        } else {
            // The tail saw this batch first, perhaps with later ones behind it.
            shared.forget(&batch);
        }
        if *applied < batch.last_pos {
            *applied = batch.last_pos;
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

async fn build(shared: &Shared, tx: &Tx, batch: &[Queued]) -> Result<Built, StoreError> {
    let head = begin(shared, tx).await?;
    let mut works = prepare(shared, tx, batch).await?;
    let (answers, batch) = check(shared, &mut works, batch, head);
    let batch_id = uuid::Uuid::new_v4().to_string();
    if let Some(batch) = &batch {
        write(shared, tx, &mut works, batch, &batch_id).await?;
    }
    if tx.has_failed() {
        let sentence = "a statement of this change failed".to_owned();
        return Err(StoreError::Refused(sentence));
    }
    Ok(Built {
        batch_id,
        works,
        answers,
        batch,
    })
}

/// Locks the log and applies what other nodes committed, so that caches are true at the head.
async fn begin(shared: &Shared, tx: &Tx) -> Result<Pos, StoreError> {
    let applied = *shared.applied.lock();
    let rows = match &tx.kind {
        ReaderKind::SqliteHere(connection) => {
            if connection.in_transaction() {
                connection.batch("ROLLBACK")?;
            }
            connection.batch("BEGIN IMMEDIATE")?;
            Vec::new()
        }
        ReaderKind::Postgres(session) => {
            // Sent together; each statement sees what was committed when it began, so the
            // tail is read with the lock held.
            let params = [applied.get().into()];
            let (begun, locked, rows) = futures_util::join!(
                session.batch("BEGIN"),
                session.query(LOCK, &[]),
                session.query(TAIL, &params)
            );
            begun?;
            if locked?.is_empty() {
                return Err(no_lock());
            }
            rows?
        }
        ReaderKind::SqliteThere(_) | ReaderKind::PostgresPooled(_) => {
            return Err(StoreError::Refused("a snapshot cannot commit".to_owned()));
        }
    };
    catch_up(shared, tx, rows).await
}

/// On PostgreSQL: whoever holds this row's lock commits.
const LOCK: &str = "SELECT log_id FROM log_lock WHERE log_id = 1 FOR UPDATE";

/// Without the row nobody would wait for anybody.
fn no_lock() -> StoreError {
    StoreError::Damaged("the row of log_lock is missing".to_owned())
}

async fn catch_up(shared: &Shared, tx: &Tx, mut rows: Vec<Row>) -> Result<Pos, StoreError> {
    while !rows.is_empty() {
        let batches = batches_of(&rows)?;
        let last = batches.last().map_or(Pos::START, |batch| batch.last_pos);
        shared.advance(batches);
        rows = tx.query(TAIL, &[last.get().into()]).await?;
    }
    Ok(*shared.applied.lock())
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

/// Writes everything, polled together so that it travels together. The first failure is told:
/// those behind it only say that the transaction is over.
async fn write(
    shared: &Shared,
    tx: &Tx,
    works: &mut [Option<AnyWork>],
    batch: &Batch,
    batch_id: &str,
) -> Result<(), StoreError> {
    let row: Vec<Value> = vec![
        1.into(),
        batch.first_pos.get().into(),
        batch.last_pos.get().into(),
        batch_id.into(),
        batch.at.as_millis().into(),
        batch.touched.encode().into(),
    ];
    let rows = [row];
    let writing = shared
        .appliers
        .iter()
        .zip(works)
        .filter_map(|(applier, work)| {
            work.as_mut()
                .map(|work| async move { applier.write(tx, work).await })
        });
    let (log, owners) =
        futures_util::join!(tx.insert_many(&INSERT_BATCH, &rows), join_all(writing));
    log?;
    let mut first: Result<(), StoreError> = Ok(());
    for written in owners {
        if let Err(error) = written
            && first.as_ref().err().is_none_or(is_aftermath)
        {
            first = Err(error);
        }
    }
    first
}

/// Whether an error only says that an earlier statement had failed.
fn is_aftermath(error: &StoreError) -> bool {
    matches!(error, StoreError::Postgres(error)
        if error.code().is_some_and(|code| code.code() == "25P02"))
}

async fn commit(tx: &Tx) -> Result<(), StoreError> {
    match &tx.kind {
        ReaderKind::SqliteHere(connection) => connection.batch("COMMIT"),
        ReaderKind::Postgres(session) => session.commit().await,
        ReaderKind::SqliteThere(_) | ReaderKind::PostgresPooled(_) => {
            Err(StoreError::Refused("a snapshot cannot commit".to_owned()))
        }
    }
}

async fn rollback(tx: &Tx) -> Result<(), StoreError> {
    match &tx.kind {
        ReaderKind::SqliteHere(connection) if connection.in_transaction() => {
            connection.batch("ROLLBACK")
        }
        ReaderKind::Postgres(session) => session.batch("ROLLBACK").await,
        _ => Ok(()),
    }
}

/// Looks a batch up by its id, with the lock held: a stranded backend that still commits it
/// is waited for.
pub(crate) async fn find_batch(kind: ReaderKind, batch_id: &str) -> Result<bool, StoreError> {
    const FIND: &str = "SELECT last_pos FROM log WHERE batch_id = $1";
    match kind {
        ReaderKind::SqliteHere(connection) => {
            if connection.in_transaction() {
                // COMMIT failed and left the transaction open: it does not stand.
                connection.batch("ROLLBACK")?;
            }
            Ok(!connection.query(FIND, &[batch_id.into()])?.is_empty())
        }
        ReaderKind::Postgres(session) => {
            session.batch("BEGIN").await?;
            if session.query(LOCK, &[]).await?.is_empty() {
                return Err(no_lock());
            }
            let found = session.query(FIND, &[batch_id.into()]).await?;
            session.batch("ROLLBACK").await?;
            Ok(!found.is_empty())
        }
        ReaderKind::SqliteThere(_) | ReaderKind::PostgresPooled(_) => Err(StoreError::Refused(
            "a snapshot cannot settle a commit".to_owned(),
        )),
    }
}

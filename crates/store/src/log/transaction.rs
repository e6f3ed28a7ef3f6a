//! The transaction of a batch on each engine: its lock, its end, and what became of it.

use uuid::Uuid;

use super::{Pos, TAIL};
use crate::{
    Row, StoreError, Tx, Writes,
    engine::{ReaderKind, postgres::CommitFailure},
    history::FIND_BATCH,
};

/// On PostgreSQL: whoever holds this row's lock commits.
const LOCK: &str = "SELECT log_id FROM log_lock WHERE log_id = 1 FOR UPDATE";

/// Without the row nobody would wait for anybody.
fn no_lock() -> StoreError {
    StoreError::Damaged("the row of log_lock is missing".to_owned())
}

/// Locks the log; gives the first batches behind `applied`, which only other nodes make.
pub(super) async fn begin(tx: &Tx, applied: Pos) -> Result<Vec<Row>, StoreError> {
    match &tx.kind {
        ReaderKind::SqliteHere(connection) => {
            if connection.in_transaction() {
                connection.batch("ROLLBACK")?;
            }
            connection.begin_immediate()?;
            Ok(Vec::new())
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
            rows
        }
        ReaderKind::SqliteThere(_) | ReaderKind::PostgresPooled(_) => {
            Err(StoreError::Refused("a snapshot cannot commit".to_owned()))
        }
    }
}

/// Writes and commits.
pub(super) async fn finish(tx: &Tx, writes: &Writes) -> Result<(), CommitFailure> {
    match &tx.kind {
        ReaderKind::SqliteHere(connection) => {
            if let Err(error) = connection.write(writes) {
                drop(rollback(tx).await);
                return Err(CommitFailure::RolledBack(error));
            }
            connection.batch("COMMIT").map_err(CommitFailure::Unknown)
        }
        ReaderKind::Postgres(session) => session.write_and_commit(writes).await,
        ReaderKind::SqliteThere(_) | ReaderKind::PostgresPooled(_) => {
            let sentence = "a snapshot cannot commit".to_owned();
            Err(CommitFailure::RolledBack(StoreError::Refused(sentence)))
        }
    }
}

pub(super) async fn rollback(tx: &Tx) -> Result<(), StoreError> {
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
pub(super) async fn find_batch(kind: ReaderKind, batch_id: Uuid) -> Result<bool, StoreError> {
    let params = [batch_id.to_string().into()];
    match kind {
        ReaderKind::SqliteHere(connection) => {
            if connection.in_transaction() {
                // COMMIT failed and left the transaction open: it does not stand.
                connection.batch("ROLLBACK")?;
            }
            Ok(!connection.query(FIND_BATCH, &params)?.is_empty())
        }
        ReaderKind::Postgres(session) => {
            session.batch("BEGIN").await?;
            if session.query(LOCK, &[]).await?.is_empty() {
                return Err(no_lock());
            }
            let found = session.query(FIND_BATCH, &params).await?;
            session.batch("ROLLBACK").await?;
            Ok(!found.is_empty())
        }
        ReaderKind::SqliteThere(_) | ReaderKind::PostgresPooled(_) => Err(StoreError::Refused(
            "a snapshot cannot settle a commit".to_owned(),
        )),
    }
}

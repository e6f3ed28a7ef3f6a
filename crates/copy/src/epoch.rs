//! Beginning another history where an earlier one has lost something.

use audit::{AuditTrail, Record};
use keys::Keys;
use store::{CommitError, EpochRaise, Epochs, Intent, Log, Pos, StoreError};

/// A history that has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun {
    /// Its epoch.
    pub epoch: i64,
    /// The position at which it was there.
    pub head: Pos,
}

/// Begins an epoch: after a restore the last transaction, after which the server may start; after a
/// failover that lost something the first one.
///
/// Whoever comes with a token from before starts again, the one-time keys are dropped that may have
/// been given away since, and the record says what happened.
pub async fn begin_epoch(
    log: &Log,
    raise: EpochRaise,
    record: Record,
) -> Result<Begun, StoreError> {
    let mut intent = Intent::new();
    Keys::drop_unclaimed_one_time_keys(&mut intent);
    intent.add::<AuditTrail>(record);
    let raised = intent.add::<Epochs>(raise);
    let committed = log.commit(intent).await;
    let mut committed = committed.map_err(CommitError::into_store)?;
    let damaged = || StoreError::Damaged("the epoch was not raised".to_owned());
    Ok(Begun {
        epoch: committed.take(raised).ok_or_else(damaged)?,
        head: committed.last_pos(),
    })
}

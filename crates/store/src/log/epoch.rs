//! Epochs: each is a history of its own, and begins where something was lost.

use std::{convert::Infallible, sync::Arc};

use async_trait::async_trait;
use model::time::Timestamp;

use super::{Applier, CheckContext, Pos, Verdict};
use crate::{Journal, StoreError, Tx, Writes, tables::DROP_MARK};

/// Raises the epoch: every log has it.
///
/// Tokens of earlier epochs may name changes that no longer are, or that are others now; who
/// reads one begins again. An epoch's number is the time of its beginning: one copy that is
/// restored twice makes two histories, and neither takes the other's tokens for its own.
pub struct Epochs;

/// A history that begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochRaise {
    /// The last position that it has in common with the one before.
    pub common: Pos,
    /// Whether it finishes a restore, which nothing could open before.
    pub ends_restore: bool,
}

/// What an attempt knows.
pub struct Work {
    epoch: i64,
    at: Timestamp,
    raises: Journal<EpochRaise>,
}

const READ_EPOCH: &str = "SELECT value FROM facts WHERE name = 'epoch'";
const WRITE_FACT: &str = "INSERT INTO facts (name, value) VALUES ($1, $2) \
     ON CONFLICT (name) DO UPDATE SET value = excluded.value";

#[async_trait]
impl Applier for Epochs {
    type Change = EpochRaise;
    /// The epoch that begins.
    type Outcome = i64;
    type Refusal = Infallible;
    type Work = Work;

    const KIND: &'static str = "epoch";

    async fn prepare(&self, tx: &Tx, _: &[&EpochRaise]) -> Result<Work, StoreError> {
        let row = tx.query_opt(READ_EPOCH, &[]).await?;
        let damaged = || StoreError::Damaged("the fact epoch is missing".to_owned());
        let epoch = row.ok_or_else(damaged)?.text(0)?.parse();
        Ok(Work {
            epoch: epoch.map_err(|_| damaged())?,
            at: Timestamp::default(),
            raises: Journal::default(),
        })
    }

    /// Several raises of one batch begin one epoch.
    fn check(
        &self,
        work: &mut Work,
        raise: &EpochRaise,
        context: &mut CheckContext<'_>,
    ) -> Result<Verdict<i64>, Infallible> {
        work.at = context.now();
        work.raises.push(*raise);
        Ok(Verdict::Apply(work.next()))
    }

    fn settle(&self, work: &mut Work, keep: bool) {
        work.raises.settle(keep);
    }

    fn write(&self, work: &mut Work, writes: &mut Writes) -> Result<(), StoreError> {
        let raises = work.raises.kept();
        let Some(common) = raises.iter().map(|raise| raise.common).min() else {
            return Ok(());
        };
        let epoch = work.next().to_string();
        let after = format!("epoch.{epoch}.after");
        let common = common.get().to_string();
        writes.execute(WRITE_FACT, vec!["epoch".into(), epoch.into()]);
        writes.execute(WRITE_FACT, vec![after.into(), common.into()]);
        let at = work.at.as_millis().to_string();
        writes.execute(WRITE_FACT, vec!["epoch.began_at".into(), at.into()]);
        if raises.iter().any(|raise| raise.ends_restore) {
            writes.execute(DROP_MARK, Vec::new());
        }
        Ok(())
    }
}

impl Work {
    fn next(&self) -> i64 {
        self.epoch.saturating_add(1).max(self.at.as_millis())
    }
}

impl Epochs {
    pub(super) fn applier() -> Arc<Self> {
        Arc::new(Self)
    }
}

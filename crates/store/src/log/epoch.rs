//! Epochs: each is a history of its own, and begins where something was lost.

use std::{collections::HashMap, convert::Infallible, sync::Arc};

use async_trait::async_trait;
use model::time::Timestamp;

use super::{Applier, CheckContext, Pos, Verdict};
use crate::{Journal, Row, StoreError, Tx, Writes, tables::DROP_MARK};

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
    /// Why it begins.
    pub cause: EpochCause,
}

/// Why a history begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EpochCause {
    /// A restore is finished, and the database can be opened from now on.
    Restore,
    /// The database failed over to a server that had not received everything. Several nodes notice
    /// it: an epoch that has begun behind the common position since, and goes back as far, is this
    /// one, and nothing of the whole intent is done again.
    Failover,
}

/// What an attempt knows.
pub struct Work {
    epoch: i64,
    /// Where earlier epochs began, and up to where they go back.
    begun: Vec<(Pos, Pos)>,
    last: Pos,
    at: Timestamp,
    raises: Journal<EpochRaise>,
}

const READ_EPOCH: &str = "SELECT value FROM facts WHERE name = 'epoch'";
const READ_BEGUN: &str = "SELECT name, value FROM facts \
     WHERE name LIKE 'epoch.%.after' OR name LIKE 'epoch.%.at'";
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
            begun: beginnings(&tx.query(READ_BEGUN, &[]).await?)?,
            last: Pos::START,
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
        if raise.cause == EpochCause::Failover && work.has_begun_since(raise.common) {
            return Ok(Verdict::Already(work.epoch));
        }
        work.at = context.now();
        work.last = context.pos();
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
        let (after, began) = (format!("epoch.{epoch}.after"), format!("epoch.{epoch}.at"));
        let (common, pos) = (common.get().to_string(), work.last.get().to_string());
        writes.execute(WRITE_FACT, vec!["epoch".into(), epoch.into()]);
        writes.execute(WRITE_FACT, vec![after.into(), common.into()]);
        writes.execute(WRITE_FACT, vec![began.into(), pos.into()]);
        let at = work.at.as_millis().to_string();
        writes.execute(WRITE_FACT, vec!["epoch.began_at".into(), at.into()]);
        if raises
            .iter()
            .any(|raise| raise.cause == EpochCause::Restore)
        {
            writes.execute(DROP_MARK, Vec::new());
        }
        Ok(())
    }
}

/// Where each epoch began, and up to where it goes back.
fn beginnings(facts: &[Row]) -> Result<Vec<(Pos, Pos)>, StoreError> {
    let mut begun: HashMap<&str, (Option<Pos>, Option<Pos>)> = HashMap::new();
    for row in facts {
        let mut parts = row.text(0)?.split('.').skip(1);
        let (Some(epoch), Some(what)) = (parts.next(), parts.next()) else {
            continue;
        };
        let pos = row.text(1)?.parse().map(Pos::new);
        let pos = pos.map_err(|_| StoreError::Damaged("a fact is no number".to_owned()))?;
        let epoch = begun.entry(epoch).or_default();
        match what {
            "at" => epoch.0 = Some(pos),
            _ => epoch.1 = Some(pos),
        }
    }
    let known = begun.into_values();
    Ok(known.filter_map(|(at, after)| at.zip(after)).collect())
}

impl Work {
    /// Whether whoever comes from a history that has no more than `common` in common with this one
    /// starts again already.
    fn has_begun_since(&self, common: Pos) -> bool {
        let mut begun = self.begun.iter();
        begun.any(|(at, after)| *at > common && *after <= common)
    }

    fn next(&self) -> i64 {
        self.epoch.saturating_add(1).max(self.at.as_millis())
    }
}

impl Epochs {
    pub(super) fn applier() -> Arc<Self> {
        Arc::new(Self)
    }
}

//! The end of a move: a deployment has arrived at another database, with its whole history.

use std::{convert::Infallible, sync::Arc};

use async_trait::async_trait;

use super::{Applier, CheckContext, Verdict};
use crate::{Journal, StoreError, Tx, Writes, tables::DROP_MOVE_MARK};

/// Opens a database that a deployment was moved into: every log has it.
///
/// Nothing is lost on the way, so the epoch stays, and whoever comes with a token from before goes
/// on. Background work goes on where it was; what was held at the old place is free here.
pub struct Arrivals;

/// A move that is finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival;

const FREE_LEASES: &str = "UPDATE leases SET beats = -1";

#[async_trait]
impl Applier for Arrivals {
    type Change = Arrival;
    type Outcome = ();
    type Refusal = Infallible;
    type Work = Journal<Arrival>;

    const KIND: &'static str = "arrival";

    async fn prepare(&self, _: &Tx, _: &[&Arrival]) -> Result<Self::Work, StoreError> {
        Ok(Journal::default())
    }

    fn check(
        &self,
        work: &mut Self::Work,
        arrival: &Arrival,
        _: &mut CheckContext<'_>,
    ) -> Result<Verdict<()>, Infallible> {
        work.push(*arrival);
        Ok(Verdict::Apply(()))
    }

    fn settle(&self, work: &mut Self::Work, keep: bool) {
        work.settle(keep);
    }

    fn write(&self, work: &mut Self::Work, writes: &mut Writes) -> Result<(), StoreError> {
        if !work.kept().is_empty() {
            writes.execute(FREE_LEASES, Vec::new());
            writes.execute(DROP_MOVE_MARK, Vec::new());
        }
        Ok(())
    }
}

impl Arrivals {
    pub(super) fn applier() -> Arc<Self> {
        Arc::new(Self)
    }
}

//! Dead letters: what was given up, and trying it again.

use model::time::Timestamp;
use store::{LeasedCursor, LocalWrite, Pos, Row, StoreError};

use crate::{Outbox, outbox::lease_of};

/// Something that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The lane.
    pub lane: String,
    /// Whom it was for, as the lane names its targets.
    pub target: String,
    /// The change of the log that it tells of.
    pub pos: Pos,
    /// Since when it waited.
    pub queued_at: Timestamp,
    /// When it was given up.
    pub died_at: Timestamp,
    /// Why.
    pub fault: String,
}

const LIST: &str = "SELECT lane, target, pos, queued_at, died_at, fault FROM outbox_dead \
     WHERE (lane, target, pos) > ($1, $2, $3) ORDER BY lane, target, pos LIMIT $4";

/// What is tried again has all its time before it: it counts as queued now.
const PUT_BACK: &str = "INSERT INTO outbox (lane, target, pos, queued_at) \
     SELECT lane, target, pos, CAST($3 AS BIGINT) FROM outbox_dead \
     WHERE lane = $1 AND ($2 = '' OR target = $2) ON CONFLICT (lane, target, pos) DO NOTHING";

const PUT_BACK_TARGETS: &str = "INSERT INTO outbox_targets (lane, target, next_at, failures) \
     SELECT DISTINCT lane, target, CAST($3 AS BIGINT), 0 FROM outbox_dead \
     WHERE lane = $1 AND ($2 = '' OR target = $2) \
     ON CONFLICT (lane, target) DO UPDATE SET next_at = excluded.next_at";

const FORGET: &str = "DELETE FROM outbox_dead WHERE lane = $1 AND ($2 = '' OR target = $2) \
     RETURNING pos";

impl Outbox {
    /// Some dead letters, after one of them, in the order of lanes, targets and positions.
    pub async fn dead(
        &self,
        after: Option<&DeadLetter>,
        limit: u16,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        let (lane, target, pos) = after.map_or(("", "", 0), |after| {
            (after.lane.as_str(), after.target.as_str(), after.pos.get())
        });
        let params = [
            lane.into(),
            target.into(),
            pos.into(),
            i64::from(limit).into(),
        ];
        let rows = self.log.database().query(LIST, &params).await?;
        rows.iter().map(read).collect()
    }

    /// Lets the dead letters of a lane, or of one of its targets, be tried again; tells how many.
    pub async fn replay(&self, lane: &str, target: Option<&str>) -> Result<usize, StoreError> {
        let which = || vec![lane.into(), target.unwrap_or_default().into()];
        let mut with_time = which();
        with_time.push(self.now().as_millis().into());
        let write = LocalWrite::new()
            .and(PUT_BACK, with_time.clone())
            .and(PUT_BACK_TARGETS, with_time)
            .and(FORGET, which());
        self.settle(lane, write).await
    }

    /// Forgets the dead letters of a lane, or of one of its targets; tells how many.
    pub async fn forget(&self, lane: &str, target: Option<&str>) -> Result<usize, StoreError> {
        let which = vec![lane.into(), target.unwrap_or_default().into()];
        self.settle(lane, LocalWrite::new().and(FORGET, which))
            .await
    }

    /// Beside the lane's holder: a letter that comes to wait while the last one of its target is
    /// taken away is not left without anybody who looks.
    async fn settle(&self, lane: &str, write: LocalWrite) -> Result<usize, StoreError> {
        let written = LeasedCursor::write_beside(&self.log, lease_of(lane), write).await;
        match written {
            Ok(rows) => Ok(rows.last().map_or(0, Vec::len)),
            // Nobody ever worked on such a lane.
            Err(StoreError::TakenOver) => Ok(0),
            Err(error) => Err(error),
        }
    }
}

fn read(row: &Row) -> Result<DeadLetter, StoreError> {
    Ok(DeadLetter {
        lane: row.text(0)?.to_owned(),
        target: row.text(1)?.to_owned(),
        pos: Pos::new(row.int(2)?),
        queued_at: Timestamp::from_millis(row.int(3)?),
        died_at: Timestamp::from_millis(row.int(4)?),
        fault: row.text(5)?.to_owned(),
    })
}

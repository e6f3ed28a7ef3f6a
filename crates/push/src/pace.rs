//! How often somebody is written to.

use std::time::Duration;

use model::time::Timestamp;
use store::{LocalWrite, Pos, Snapshot, StoreError};

/// For how long nobody is written to about what was just said: people read it where they are.
pub(crate) const FIRST_WAIT: Duration = Duration::from_secs(10 * 60);

/// The longest time between two mails.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

const READ: &str = "SELECT mailed_at, in_a_row, pos, told_up_to FROM push_mails WHERE pusher = $1";

const NOTE: &str = "INSERT INTO push_mails (pusher, mailed_at, in_a_row, pos, told_up_to) \
     VALUES ($1, $2, $3, $4, $5) ON CONFLICT (pusher) DO UPDATE SET \
     mailed_at = excluded.mailed_at, in_a_row = excluded.in_a_row, pos = excluded.pos, \
     told_up_to = excluded.told_up_to";

const FORGET: &str = "DELETE FROM push_mails WHERE pusher = $1";

/// The last mail of a pusher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LastMail {
    pub(crate) at: Timestamp,
    /// How many went, with this one, since the reader has read anything.
    pub(crate) in_a_row: i64,
    /// Where the log was then.
    pub(crate) pos: Pos,
    /// Up to where the reader was told what they have not read: a mail that was refused told nothing.
    pub(crate) told_up_to: Pos,
}

impl LastMail {
    pub(crate) async fn of(snapshot: &Snapshot, pusher: i64) -> Result<Option<Self>, StoreError> {
        let Some(row) = snapshot.query_opt(READ, &[pusher.into()]).await? else {
            return Ok(None);
        };
        Ok(Some(Self {
            at: Timestamp::from_millis(row.int(0)?),
            in_a_row: row.int(1)?,
            pos: Pos::new(row.int(2)?),
            told_up_to: Pos::new(row.int(3)?),
        }))
    }

    /// What notes it as the last.
    pub(crate) fn note(&self, pusher: i64) -> LocalWrite {
        let params = vec![
            pusher.into(),
            self.at.as_millis().into(),
            self.in_a_row.into(),
            self.pos.get().into(),
            self.told_up_to.get().into(),
        ];
        LocalWrite::new().and(NOTE, params)
    }
}

/// Adds to a write that a pusher is gone.
pub(crate) fn forget(write: LocalWrite, pusher: i64) -> LocalWrite {
    write.and(FORGET, vec![pusher.into()])
}

/// How long after a mail the next one may follow: four times as long for each one that went since
/// the reader has read anything.
pub(crate) fn interval(in_a_row: i64) -> Duration {
    // Beyond this it is the longest.
    let times = u32::try_from(in_a_row.clamp(0, 8)).unwrap_or(0);
    FIRST_WAIT
        .saturating_mul(4_u32.pow(times))
        .min(LONGEST_WAIT)
}

/// How much is left of a wait that began at some moment. One that has not come yet is of another
/// clock, or of one that has jumped: nobody waits for it.
pub(crate) fn left(began: Timestamp, wait: Duration, now: Timestamp) -> Duration {
    if began > now {
        return Duration::ZERO;
    }
    wait.saturating_sub(now.since(began))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mails_that_nobody_reads_become_rarer_up_to_one_a_day() {
        let minutes = |in_a_row| interval(in_a_row).as_secs() / 60;
        let all = [0, 1, 2, 3, 4, 5, i64::MAX].map(minutes);
        assert_eq!(all, [10, 40, 160, 640, 1_440, 1_440, 1_440]);
        assert_eq!(minutes(-1), 10);
    }

    #[test]
    fn no_clock_makes_anybody_wait_longer_than_the_wait() {
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1_000);
        let minute = Duration::from_secs(60);
        assert_eq!(left(at(100), minute, at(100)), minute);
        assert_eq!(left(at(100), minute, at(130)), minute / 2);
        assert_eq!(left(at(100), minute, at(160)), Duration::ZERO);
        assert_eq!(left(at(100), minute, at(99)), Duration::ZERO);
        assert_eq!(left(at(i64::MAX / 2_000), minute, at(0)), Duration::ZERO);
    }
}

//! What this node has seen of the log, by which it notices a database that has less.
//!
//! A standby that had not received everything before it was promoted continues an earlier log:
//! positions that people were told, and what the caches of this node hold, are of a history that
//! is gone. A session stays on one server, and a server that goes on loses nothing; so a history
//! can only part between two sessions. Each new one is therefore asked for the last batch that was
//! seen over any other, before anything else is asked of it.

use std::{collections::VecDeque, fmt, str::FromStr, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::watch;
use uuid::Uuid;

use crate::{Database, Pos, Row, StoreError, engine::postgres::Session};

/// How many of the last batches are remembered.
const REMEMBERED: usize = 4_096;

/// How many of these a short note has one by one; before them, ever fewer.
const CLOSE: usize = 32;

/// The batches of the log that this node has seen. Cheap to clone.
#[derive(Clone)]
pub struct History {
    inner: Arc<Inner>,
}

struct Inner {
    marks: Mutex<Marks>,
    lost: watch::Sender<bool>,
}

/// In the log's order, and at most [`REMEMBERED`] beside those from long before.
#[derive(Default)]
struct Marks {
    /// Ever further apart towards the beginning of the log: what was seen lately may all be gone.
    early: Vec<Mark>,
    late: VecDeque<Mark>,
}

/// A batch of the log: no two histories have the same. As text it is its last position and its
/// random id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    pos: Pos,
    batch: Uuid,
}

/// What a database has of a history that was noted earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Common {
    /// All of it.
    All,
    /// The batches up to a position, and none of those that were noted behind it.
    UpTo(Pos),
}

/// The end of the log, as a reading finds it.
pub(crate) const NEWEST: &str =
    "SELECT last_pos, batch_id FROM log WHERE log_id = 1 ORDER BY last_pos DESC LIMIT 1";
const AT_OR_BEFORE: &str = "SELECT last_pos, batch_id FROM log \
     WHERE log_id = 1 AND last_pos <= $1 ORDER BY last_pos DESC LIMIT 1";
/// A batch, by its id.
pub(crate) const FIND_BATCH: &str = "SELECT last_pos FROM log WHERE batch_id = $1";

impl History {
    pub(crate) fn new() -> Self {
        Self {
            inner: Arc::new(Inner {
                marks: Mutex::default(),
                lost: watch::Sender::new(false),
            }),
        }
    }

    /// Notes a batch that stands. Whoever reads anything that may be kept notes the end of the log
    /// as the reading found it, before it is kept.
    pub(crate) fn note(&self, mark: Mark) {
        self.note_batch(mark.pos, mark);
    }

    /// The same, where it is known from which position on the batch is.
    pub(crate) fn note_batch(&self, first: Pos, mark: Mark) {
        let parted = {
            let mut marks = self.inner.marks.lock();
            let parted = self.is_lost() || marks.contradict(first, mark);
            if !parted && marks.late.back().is_none_or(|last| last.pos < mark.pos) {
                if marks.late.len() >= REMEMBERED {
                    marks.late.pop_front();
                }
                marks.late.push_back(mark);
            }
            parted
        };
        if parted {
            self.lose();
        }
    }

    /// Notes the end of the log from a row with its position and its batch's id.
    pub(crate) fn note_row(&self, row: &Row, pos: usize, batch: usize) -> Result<(), StoreError> {
        if let Some(mark) = Mark::read(row, pos, batch)? {
            self.note(mark);
        }
        Ok(())
    }

    /// The last batch that was seen.
    pub(crate) fn newest(&self) -> Option<Mark> {
        self.inner.marks.lock().late.back().copied()
    }

    /// Asks a new session whether its server has what was seen over others.
    pub(crate) async fn check(&self, session: &Session) -> Result<(), StoreError> {
        if self.is_lost() {
            return Err(lost());
        }
        let Some(mark) = self.newest() else {
            return Ok(());
        };
        let found = session
            .query(FIND_BATCH, &[mark.batch.to_string().into()])
            .await?;
        if found.is_empty() {
            self.lose();
            return Err(lost());
        }
        Ok(())
    }

    /// From now on this node serves nothing any more.
    pub(crate) fn lose(&self) {
        if !self.inner.lost.send_replace(true) {
            let seen = self.newest().map_or(0, |mark| mark.pos.get());
            tracing::error!(
                seen,
                "the database has lost changes that this node has seen: it failed over to a \
                 standby that had not received them"
            );
        }
    }

    /// Whether the database was found to have less than this node has seen.
    pub fn is_lost(&self) -> bool {
        *self.inner.lost.borrow()
    }

    /// Waits until the database is found to have less than this node has seen.
    pub async fn lost(&self) {
        let mut lost = self.inner.lost.subscribe();
        // The sender lives as long as `self`.
        drop(lost.wait_for(|lost| *lost).await);
    }

    /// All that is remembered, in the log's order.
    pub fn marks(&self) -> Vec<Mark> {
        let marks = self.inner.marks.lock();
        marks.early.iter().chain(&marks.late).copied().collect()
    }

    /// The same, short: the last few one by one, and before them ever fewer.
    pub fn some_marks(&self) -> Vec<Mark> {
        let all = self.marks();
        let mut distance = 0;
        let mut some: Vec<Mark> = std::iter::from_fn(|| {
            let mark = all.len().checked_sub(distance + 1).map(|index| all[index]);
            distance += 1 + distance.saturating_sub(CLOSE) / 2;
            mark
        })
        .collect();
        some.reverse();
        some
    }

    /// Reads marks from all over the log, each twice as far from its end as the one behind it.
    pub(crate) async fn begin(&self, database: &Database) -> Result<(), StoreError> {
        let newest = database.query_opt(NEWEST, &[]).await?;
        let Some(head) = newest.map(|row| Mark::read(&row, 0, 1)).transpose()? else {
            return Ok(());
        };
        let head = head.map_or(0, |mark| mark.pos.get());
        let mut early: Vec<Mark> = Vec::new();
        let mut distance = 1;
        while distance < head {
            let params = [(head - distance).into()];
            let row = database.query_opt(AT_OR_BEFORE, &params).await?;
            let mark = row.map(|row| Mark::read(&row, 0, 1)).transpose()?.flatten();
            early.extend(mark.filter(|mark| early.last().is_none_or(|last| last.pos > mark.pos)));
            distance *= 2;
        }
        early.reverse();
        self.inner.marks.lock().early = early;
        Ok(())
    }
}

impl Marks {
    /// Whether another batch was seen to end where this one is.
    fn contradict(&self, first: Pos, mark: Mark) -> bool {
        let behind = self.late.partition_point(|seen| seen.pos < first);
        let mut within = self.late.range(behind..);
        within
            .next()
            .is_some_and(|seen| seen.pos <= mark.pos && *seen != mark)
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.pos.get(), self.batch)
    }
}

impl FromStr for Mark {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let damaged = || StoreError::Damaged("a mark of the log is none".to_owned());
        let (pos, batch) = text.split_once(' ').ok_or_else(damaged)?;
        Ok(Self {
            pos: Pos::new(pos.parse().map_err(|_| damaged())?),
            batch: batch.parse().map_err(|_| damaged())?,
        })
    }
}

impl Mark {
    /// A batch by its last position and its id.
    pub(crate) fn new(pos: Pos, batch: Uuid) -> Self {
        Self { pos, batch }
    }

    /// The last position of the batch.
    pub fn pos(self) -> Pos {
        self.pos
    }

    /// Of an empty log there is none.
    pub(crate) fn read(row: &Row, pos: usize, batch: usize) -> Result<Option<Self>, StoreError> {
        let Some(batch) = row.opt_text(batch)? else {
            return Ok(None);
        };
        let damaged = |_| StoreError::Damaged("a batch has an id that is none".to_owned());
        Ok(Some(Self {
            pos: Pos::new(row.int(pos)?),
            batch: batch.parse().map_err(damaged)?,
        }))
    }
}

impl Database {
    /// What this database has of a history, of which some batches were noted in their order.
    pub async fn common_with(&self, marks: &[Mark]) -> Result<Common, StoreError> {
        // Two histories that have parted never meet again.
        let (mut known, mut unknown) = (0, marks.len());
        while known < unknown {
            let middle = known + (unknown - known) / 2;
            let params = [marks[middle].batch.to_string().into()];
            match self.query_opt(FIND_BATCH, &params).await? {
                Some(_) => known = middle + 1,
                None => unknown = middle,
            }
        }
        Ok(match known {
            all if all == marks.len() => Common::All,
            0 => Common::UpTo(Pos::START),
            some => Common::UpTo(marks[some - 1].pos),
        })
    }
}

pub(crate) fn lost() -> StoreError {
    StoreError::Unavailable("it has lost changes that this node has seen".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(pos: i64) -> Mark {
        Mark {
            pos: Pos::new(pos),
            batch: Uuid::from_u128(pos as u128),
        }
    }

    #[test]
    fn a_mark_is_read_as_it_was_written() {
        assert_eq!(mark(7).to_string().parse::<Mark>().unwrap(), mark(7));
        for broken in ["", "7", "7 x", "x 00000000-0000-0000-0000-000000000007"] {
            broken.parse::<Mark>().unwrap_err();
        }
    }

    #[test]
    fn what_is_read_late_is_no_other_history() {
        let history = History::new();
        for pos in [3, 7, 9, 7, 3, 5, 9] {
            history.note(mark(pos));
        }
        assert_eq!(history.marks(), [mark(3), mark(7), mark(9)]);
        assert!(!history.is_lost());
    }

    #[test]
    fn another_batch_at_a_position_is_another_history() {
        for other in [3, 7, 9] {
            let history = History::new();
            for pos in [3, 7, 9] {
                history.note(mark(pos));
            }
            let batch = Uuid::from_u128(1_000);
            history.note(Mark {
                batch,
                ..mark(other)
            });
            assert!(history.is_lost(), "{other}");
        }
    }

    #[test]
    fn a_batch_that_lies_over_another_is_another_history() {
        for (first, last, parts) in [(4, 7, false), (10, 12, false), (8, 12, true), (6, 8, true)] {
            let history = History::new();
            for pos in [3, 7, 9] {
                history.note(mark(pos));
            }
            history.note_batch(Pos::new(first), mark(last));
            assert_eq!(history.is_lost(), parts, "{first} to {last}");
        }
    }

    #[test]
    fn memory_is_bounded_and_a_short_note_reaches_back_as_far() {
        let history = History::new();
        for pos in 1..=2 * REMEMBERED as i64 {
            history.note(mark(pos));
        }
        let (all, some) = (history.marks(), history.some_marks());
        assert_eq!(all.len(), REMEMBERED);
        assert!(some.len() < CLOSE + 24, "{}", some.len());
        assert_eq!(some.last(), all.last());
        assert!(some.is_sorted_by_key(|mark| mark.pos));
        // What stands at most half as far back again as what is looked for.
        for distance in 1..REMEMBERED {
            let wanted = all[REMEMBERED - distance].pos.get();
            let behind = |mark: &&Mark| mark.pos.get() <= wanted;
            let reached = some.iter().rev().find(behind).map(|mark| mark.pos.get());
            let beyond = all[REMEMBERED - 1].pos.get() - wanted;
            if let Some(reached) = reached {
                assert!(wanted - reached <= beyond / 2 + 1, "{distance}");
            } else {
                assert!(distance > REMEMBERED / 2, "{distance}");
            }
        }
    }
}

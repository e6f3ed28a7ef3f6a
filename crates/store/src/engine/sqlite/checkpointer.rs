//! Checkpoints: copying the write-ahead log back into the file, beside the committer.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI32, Ordering},
        mpsc,
    },
    time::Duration,
};

use rusqlite::hooks::Wal;

use super::spawn;
use crate::StoreError;

/// How long the write-ahead log grows before it is copied back, in pages of 4 KiB. A page that
/// changes often is copied once, so a longer log costs less; a start after a crash reads it all.
const CHECKPOINT_PAGES: i32 = 16_384;

/// How much longer it grows before it is copied again, when a reader has kept it from beginning
/// anew.
const CHECKPOINT_STEP_PAGES: i32 = 4_096;

/// So few pages the committer copies itself, between two batches.
const LAST_PAGES: i32 = 512;

/// How often the checkpointer runs after a committer that writes all the time.
const CHECKPOINT_PASSES: u32 = 4;

/// Copies the write-ahead log back into the file, beside the committer.
pub(crate) struct Checkpointer {
    wake: mpsc::Sender<()>,
    growth: Arc<Growth>,
}

/// How long the write-ahead log is, and what is to be done about it.
struct Growth {
    pages: AtomicI32,
    /// At this length the checkpointer is woken.
    limit: AtomicI32,
    /// All but the last pages are copied.
    nearly_copied: AtomicBool,
}

impl Growth {
    /// Notes the length after a commit; tells, once for each limit, when it is reached.
    fn is_too_long(&self, pages: i32) -> bool {
        if pages < self.pages.swap(pages, Ordering::Relaxed) {
            // It has begun anew.
            self.limit.store(CHECKPOINT_PAGES, Ordering::Relaxed);
        }
        let reached = pages >= self.limit.load(Ordering::Relaxed);
        if reached {
            self.limit.store(i32::MAX, Ordering::Relaxed);
        }
        reached
    }

    /// Everything was copied as far as readers allow: a log that then begins anew has its
    /// first limit again, any other grows a step further.
    fn copied(&self, pages: i32) {
        let limit = pages.saturating_add(CHECKPOINT_STEP_PAGES);
        self.limit.store(limit, Ordering::Relaxed);
    }
}

impl Checkpointer {
    pub(crate) fn start(path: &Path) -> Result<Self, StoreError> {
        let (wake, woken) = mpsc::channel();
        let growth = Arc::new(Growth {
            pages: AtomicI32::new(0),
            limit: AtomicI32::new(CHECKPOINT_PAGES),
            nearly_copied: AtomicBool::new(false),
        });
        let raw = rusqlite::Connection::open(path)?;
        raw.busy_timeout(Duration::from_secs(1))?;
        let follow = Arc::clone(&growth);
        spawn("checkpointer".to_owned(), move || {
            while woken.recv().is_ok() {
                copy_nearly_all(&raw).unwrap_or_else(|error| warn(&error));
                follow.nearly_copied.store(true, Ordering::Relaxed);
            }
        })?;
        Ok(Self { wake, growth })
    }

    /// What the writer calls after each commit.
    pub(super) fn hook(
        &self,
    ) -> impl FnMut(&mut Wal, i32) -> rusqlite::Result<()> + Send + 'static {
        let (wake, growth) = (self.wake.clone(), Arc::clone(&self.growth));
        move |_, pages| {
            if growth.is_too_long(pages) {
                // The thread ends only with this sender.
                let _ = wake.send(());
            }
            Ok(())
        }
    }

    /// Copies the last pages between two transactions of the writer, once for each pass of the
    /// thread.
    ///
    /// A committer that is never idle would leave the thread one page behind for ever, and the
    /// log could never begin anew.
    pub(super) fn copy_last_pages(&self, writer: &rusqlite::Connection) {
        if !self.growth.nearly_copied.swap(false, Ordering::Relaxed) {
            return;
        }
        match checkpoint(writer) {
            Ok((pages, _)) => self.growth.copied(pages),
            // What is in the log is safe there; the file may have no room to grow.
            Err(error) => {
                warn(&error);
                self.growth
                    .copied(self.growth.pages.load(Ordering::Relaxed));
            }
        }
    }
}

/// Follows the committer until few pages are left, or a reader stands in the way.
fn copy_nearly_all(raw: &rusqlite::Connection) -> Result<(), StoreError> {
    let mut before = -1;
    for _ in 0..CHECKPOINT_PASSES {
        let (log, copied) = checkpoint(raw)?;
        if log - copied <= LAST_PAGES || copied <= before {
            break;
        }
        before = copied;
    }
    Ok(())
}

fn warn(error: &StoreError) {
    let error: &dyn std::error::Error = error;
    tracing::warn!(error, "checkpoint failed");
}

/// Copies what no reader and no writer needs in the log; how long that is, and how much of it
/// is copied.
fn checkpoint(raw: &rusqlite::Connection) -> Result<(i32, i32), StoreError> {
    let lengths = raw.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
        Ok((row.get(1)?, row.get(2)?))
    })?;
    Ok(lengths)
}

//! Removing what interrupted uploads have left (unfinished blobs, and blobs without a row), ids
//! that nobody has used, and thumbnails of files that are gone.

use std::{collections::HashSet, sync::Arc, time::Duration};

use blobs::{BlobError, BlobId};
use model::time::Timestamp;
use store::{CommitError, Intent, StoreError};

use crate::{Media, applier::MediaRows, change::Change, rows};

/// A blob younger than this may belong to an upload that has yet to add its row. Together with
/// the time between two sweeps it is less than a day: nothing that is of no use stays longer.
const SPARED: Duration = Duration::from_secs(12 * 3_600);

/// How often a running server sweeps.
const INTERVAL: Duration = Duration::from_secs(6 * 3_600);

/// What a sweep removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Blobs that never were finished.
    pub unfinished: u64,
    /// Blobs that no file has.
    pub orphans: u64,
}

/// Why a sweep stopped; what it had removed stays removed.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The place for blobs failed.
    #[error(transparent)]
    Blobs(#[from] BlobError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Media {
    /// Removes unfinished blobs, and blobs without a row, that are older than half a day; and rows of
    /// which nobody has any use, whose blobs then have none.
    pub async fn sweep(&self) -> Result<Swept, SweepError> {
        let now = self.log.clock().now();
        self.tidy(now).await?;
        let before = now.minus(SPARED);
        let mut swept = Swept {
            unfinished: self.blobs.sweep_temporary(before).await?,
            orphans: 0,
        };
        for first_byte in 0..=u8::MAX {
            let old = self.blobs.written_before(before, first_byte).await?;
            if old.is_empty() {
                continue;
            }
            let known = self.blobs_of_rows(first_byte).await?;
            for blob in old.into_iter().filter(|blob| !known.contains(blob)) {
                if self.has_row(blob).await? {
                    continue;
                }
                // Asked after the row: a copy that was begun while there was one has said so
                // before it looked.
                if self.is_copied().await? {
                    return Ok(swept);
                }
                if self.blobs.delete(blob).await? {
                    swept.orphans += 1;
                }
            }
        }
        Ok(swept)
    }

    /// Sweeps now and then, for as long as it is polled.
    pub async fn sweep_regularly(&self) {
        loop {
            match self.sweep().await {
                Ok(swept) if swept == Swept::default() => {}
                Ok(Swept {
                    unfinished,
                    orphans,
                }) => tracing::info!(unfinished, orphans, "removed what interrupted uploads left"),
                // The next sweep does what this one could not.
                Err(error) => tracing::warn!(%error, "a sweep of files stopped"),
            }
            self.log.clock().sleep(INTERVAL).await;
        }
    }

    async fn tidy(&self, expired_before: Timestamp) -> Result<(), StoreError> {
        let is_needed = {
            let snapshot = self.log.database().snapshot().await?;
            rows::has_forgettable(&snapshot, expired_before.as_millis()).await?
        };
        if !is_needed {
            return Ok(());
        }
        let mut intent = Intent::new();
        intent.add::<MediaRows>(Arc::new(Change::Tidy { expired_before }));
        let committed = self.log.commit(intent).await;
        committed.map(drop).map_err(CommitError::into_store)
    }

    async fn blobs_of_rows(&self, first_byte: u8) -> Result<HashSet<BlobId>, StoreError> {
        let (first, last) = (
            format!("{first_byte:02x}{}", "0".repeat(30)),
            format!("{first_byte:02x}{}", "f".repeat(30)),
        );
        let params = [first.into(), last.into()];
        let rows = self.log.database().query(READ_BLOBS, &params).await?;
        rows.iter()
            .map(|row| {
                let text = row.text(0)?;
                text.parse()
                    .map_err(|_| StoreError::Damaged("a file's blob is none".to_owned()))
            })
            .collect()
    }

    /// Asked once more before a blob goes: the range above depends on how the database sorts.
    async fn has_row(&self, blob: BlobId) -> Result<bool, StoreError> {
        let params = [blob.to_string().into()];
        let row = self.log.database().query_opt(READ_BLOB, &params).await?;
        Ok(row.is_some())
    }
}

const READ_BLOBS: &str = "SELECT blob FROM media WHERE blob BETWEEN $1 AND $2 \
     UNION ALL SELECT blob FROM media_thumbnails WHERE blob BETWEEN $1 AND $2";
const READ_BLOB: &str = "SELECT pos FROM media WHERE blob = $1 \
     UNION ALL SELECT pos FROM media_thumbnails WHERE blob = $1";

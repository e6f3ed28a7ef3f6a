//! Waiting for content that its sender has announced: woken by the log, on any node.

use std::{pin::pin, sync::Arc, time::Duration};

use futures_util::future::{Either, select};
use store::{Applier, Batch};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::{DownloadError, Media, MediaId, StoredFile, applier::MediaRows, download::Lookup};

/// The longest that a request is let wait.
const MAX_PATIENCE: Duration = Duration::from_secs(60);

/// How many requests wait on one node; each looks at every batch that is committed.
pub(crate) const MAX_WAITING: usize = 256;

impl Media {
    /// Finds a file, and waits for its content when it is still on its way.
    pub async fn open_within(
        &self,
        id: &MediaId,
        patience: Duration,
    ) -> Result<StoredFile, DownloadError> {
        if let Some(file) = self.look_up(id).await?.settled()? {
            return Ok(file);
        }
        if patience.is_zero() {
            return Err(DownloadError::NotYetUploaded);
        }
        let place = self.waiting.try_acquire();
        let _place = place.map_err(|_| DownloadError::NotYetUploaded)?;
        let mut deadline = self.log.clock().sleep(patience.min(MAX_PATIENCE));
        // What commits from here on is seen, and what did before is read.
        let mut batches = self.log.subscribe();
        loop {
            let owner = match self.look_up(id).await? {
                Lookup::Pending(pending) => pending,
                other => {
                    let settled = other.settled()?;
                    return settled.ok_or(DownloadError::NotYetUploaded);
                }
            };
            match select(pin!(uploaded(&mut batches, owner)), &mut deadline).await {
                Either::Left((true, _)) => {}
                Either::Left((false, _)) | Either::Right(_) => {
                    return Err(DownloadError::NotYetUploaded);
                }
            }
        }
    }
}

/// Returns when a user may have uploaded something; `false` when nobody will tell any more.
async fn uploaded(batches: &mut Receiver<Arc<Batch>>, owner: i64) -> bool {
    loop {
        match batches.recv().await {
            Ok(batch) => {
                let touched = &batch.touched;
                if touched.has_kind(MediaRows::KIND) && touched.users().any(|user| user == owner) {
                    return true;
                }
            }
            Err(RecvError::Lagged(_)) => return true,
            Err(RecvError::Closed) => return false,
        }
    }
}

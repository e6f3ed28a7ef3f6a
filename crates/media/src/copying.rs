//! What a copy of the deployment needs of the files: which there are, and that they stay.

use std::time::Duration;

use store::{LocalWrite, StoreError};

use crate::Media;

/// The columns that name blobs, by table: what a row names is part of a copy.
pub const BLOB_COLUMNS: &[(&str, &str)] = &[("media", "blob"), ("media_thumbnails", "blob")];

/// How long no node sweeps after a copy has last been heard of.
const HELD: Duration = Duration::from_secs(15 * 60);

const HOLD: &str = "INSERT INTO facts (name, value) VALUES ('files_copied_until', $1) \
     ON CONFLICT (name) DO UPDATE SET value = excluded.value";
const READ_HOLD: &str = "SELECT value FROM facts WHERE name = 'files_copied_until'";

impl Media {
    /// How often [`Media::keep_blobs_for_a_copy`] is to be called while a copy is made.
    pub const KEEP_EVERY: Duration = Duration::from_secs(5 * 60);

    /// Keeps every node from removing a blob for a quarter of an hour.
    ///
    /// A copy calls it before its snapshot, and again while it reads: a blob that a row of the
    /// snapshot names stays, even when the row goes meanwhile. It is a lease, so it stands
    /// outside of the log, and a copy that dies holds nothing for long.
    pub async fn keep_blobs_for_a_copy(&self) -> Result<(), StoreError> {
        let until = self.log.clock().now().plus(HELD).as_millis();
        let write = LocalWrite::new().and(HOLD, vec![until.to_string().into()]);
        self.log.write_local(write).await.map(drop)
    }

    /// Whether a copy may still need a blob that has no row any more.
    pub(crate) async fn is_copied(&self) -> Result<bool, StoreError> {
        let row = self.log.database().query_opt(READ_HOLD, &[]).await?;
        let until = row.map(|row| row.text(0).map(str::to_owned)).transpose()?;
        let until = until.and_then(|until| until.parse::<i64>().ok());
        Ok(until.is_some_and(|until| self.log.clock().now().as_millis() < until))
    }
}

//! Files: sealed streams and their metadata.
//!
//! - [`Media::upload`] seals a stream while it arrives, and adds its row when the blob is durable.
//! - [`Media::open`] finds a file; [`StoredFile::open_at`] streams it from any place.
//! - [`Media::sweep`] removes what interrupted uploads have left.
//! - [`Media::keep_blobs_for_a_copy`] holds sweeps off, on every node.

mod copying;
mod download;
mod id;
mod layout;
mod rows;
mod sealing;
mod sweep;
mod upload;

use std::sync::Arc;

use blobs::Blobs;
use model::entropy::Entropy;
use ruma::UserId;
use seal::Keyring;
use store::{Log, LogBuilder, Migration, Migrations, StoreError};

pub use copying::BLOB_COLUMNS;
pub use download::{Content, DownloadError, StoredFile};
pub use id::MediaId;
pub use sweep::{SweepError, Swept};
pub use upload::{MAX_CONTENT_TYPE_BYTES, MAX_FILE_NAME_BYTES, NewFile, UploadError};

/// The tables of this crate.
pub const MIGRATIONS: Migrations = Migrations {
    owner: "media",
    steps: &[Migration {
        number: 1,
        name: "media",
        sql: include_str!("../migrations/0001_media.sql"),
    }],
};

/// What people have uploaded. Cheap to clone.
#[derive(Clone)]
pub struct Media {
    log: Log,
    keyring: Keyring,
    blobs: Blobs,
    entropy: Arc<dyn Entropy>,
    max_size_bytes: u64,
}

/// How much a user has uploaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// The number of files.
    pub files: u64,
    /// Their plain sizes together.
    pub size_bytes: u64,
}

impl Media {
    /// Registers what takes part in batches; call it before the log starts.
    #[must_use]
    pub fn register(builder: LogBuilder, keyring: &Keyring) -> LogBuilder {
        builder.register(Arc::new(rows::MediaRows::new(keyring.clone())))
    }

    /// Makes the owner from a log that it was registered with.
    pub fn new(
        log: Log,
        keyring: Keyring,
        blobs: Blobs,
        entropy: Arc<dyn Entropy>,
        max_size_bytes: u64,
    ) -> Self {
        Self {
            log,
            keyring,
            blobs,
            entropy,
            max_size_bytes,
        }
    }

    /// The largest file that is taken.
    pub fn max_size_bytes(&self) -> u64 {
        self.max_size_bytes
    }

    /// How much a user has uploaded.
    pub async fn usage(&self, user: &UserId) -> Result<Usage, StoreError> {
        let snapshot = self.log.database().snapshot().await?;
        let names = self.log.database().names();
        let Some(owner) = names.user(&snapshot, user.as_str()).await? else {
            return Ok(Usage::default());
        };
        let row = snapshot.query_opt(READ_USAGE, &[owner.into()]).await?;
        let Some(row) = row else {
            return Ok(Usage::default());
        };
        let count = |index| Ok::<_, StoreError>(u64::try_from(row.int(index)?).unwrap_or(0));
        Ok(Usage {
            files: count(0)?,
            size_bytes: count(1)?,
        })
    }
}

const READ_USAGE: &str = "SELECT COUNT(*), CAST(COALESCE(SUM(size_bytes), 0) AS BIGINT) \
     FROM media WHERE owner = $1";

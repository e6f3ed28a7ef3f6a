//! Files: sealed streams and their metadata.
//!
//! - [`Media::upload`] seals a stream while it arrives, and adds its row when the blob is durable.
//! - [`Media::reserve`] gives out an id before its content, for [`Media::upload_to`].
//! - [`Media::open`] finds a file; [`StoredFile::open_range`] streams any part of it.
//! - [`Media::thumbnail`] makes a small picture of it, once.
//! - [`Media::redraw`] makes one of a picture that is not stored, and [`Media::upload_within`] keeps
//!   what is kept for a time only, which [`Media::forget_older`] ends.
//! - [`Media::sweep`] removes what interrupted uploads have left.
//! - [`Media::keep_blobs_for_a_copy`] holds sweeps off, on every node.
//!
//! Memory does not grow with a file: an upload holds a chunk and what is on its way to the disk
//! (some 400 KiB), a download as much, and pictures are opened two at a time. `tests/memory` holds
//! it; `loadgen files --size-mib 1024` shows it of a whole server that takes files of that size,
//! as its resident memory after them.

mod applier;
mod change;
mod copying;
mod download;
mod forget;
mod id;
mod layout;
mod reserve;
mod rows;
mod sealing;
mod sweep;
pub mod thumbnail;
mod thumbnails;
mod upload;
mod waiting;
mod work;

use std::sync::Arc;

use blobs::Blobs;
use model::entropy::Entropy;
use ruma::UserId;
use seal::Keyring;
use store::{Log, LogBuilder, Migration, Migrations, StoreError};
use thumbnails::Studio;
use tokio::sync::Semaphore;

pub use copying::BLOB_COLUMNS;
pub use download::{Content, DownloadError, StoredFile};
pub use id::MediaId;
pub use reserve::{MAX_PENDING, ReserveError, Reserved};
pub use sweep::{SweepError, Swept};
pub use thumbnails::ThumbnailError;
pub use upload::{MAX_CONTENT_TYPE_BYTES, MAX_FILE_NAME_BYTES, NewFile, UploadError};

/// The tables of this crate.
pub const MIGRATIONS: Migrations = Migrations {
    owner: "media",
    steps: &[
        Migration {
            number: 1,
            name: "media",
            sql: include_str!("../migrations/0001_media.sql"),
        },
        Migration {
            number: 2,
            name: "thumbnails_and_quota",
            sql: include_str!("../migrations/0002_thumbnails_and_quota.sql"),
        },
    ],
};

/// What people have uploaded. Cheap to clone.
#[derive(Clone)]
pub struct Media {
    log: Log,
    keyring: Keyring,
    blobs: Blobs,
    entropy: Arc<dyn Entropy>,
    limits: Limits,
    /// Room for those who wait for content.
    waiting: Arc<Semaphore>,
    studio: Arc<Studio>,
}

/// What is taken in.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The largest file.
    pub max_size_bytes: u64,
    /// How much each user may have, all files together; thumbnails are not counted.
    pub max_per_user_bytes: u64,
}

/// How much a user has uploaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// The number of files.
    pub files: u64,
    /// Their plain sizes together.
    pub size_bytes: u64,
}

impl Usage {
    /// The same with one more file.
    fn with(self, size_bytes: u64) -> Self {
        Self {
            files: self.files.saturating_add(1),
            size_bytes: self.size_bytes.saturating_add(size_bytes),
        }
    }

    /// The same with one file less.
    fn without(self, size_bytes: u64) -> Self {
        Self {
            files: self.files.saturating_sub(1),
            size_bytes: self.size_bytes.saturating_sub(size_bytes),
        }
    }
}

impl Media {
    /// Registers what takes part in batches; call it before the log starts.
    #[must_use]
    pub fn register(builder: LogBuilder, keyring: &Keyring) -> LogBuilder {
        builder.register(Arc::new(applier::MediaRows::new(keyring.clone())))
    }

    /// Makes the owner from a log that it was registered with.
    pub fn new(
        log: Log,
        keyring: Keyring,
        blobs: Blobs,
        entropy: Arc<dyn Entropy>,
        limits: Limits,
    ) -> Self {
        Self {
            log,
            keyring,
            blobs,
            entropy,
            limits,
            waiting: Arc::new(Semaphore::new(waiting::MAX_WAITING)),
            studio: Arc::new(Studio::new()),
        }
    }

    /// The largest file that is taken.
    pub fn max_size_bytes(&self) -> u64 {
        let limits = self.limits;
        limits.max_size_bytes.min(limits.max_per_user_bytes)
    }

    /// How much a user has uploaded.
    pub async fn usage(&self, user: &UserId) -> Result<Usage, StoreError> {
        let snapshot = self.log.database().snapshot().await?;
        let names = self.log.database().names();
        let Some(owner) = names.user(&snapshot, user.as_str()).await? else {
            return Ok(Usage::default());
        };
        rows::usage(&snapshot, owner).await
    }
}

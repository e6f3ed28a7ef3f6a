//! Thumbnails of stored files: made when they are first asked for, sealed and kept like files.

use std::{sync::Arc, time::Duration};

use blobs::{BlobError, BlobId, PutError};
use bytes::Bytes;
use futures_util::{
    TryStreamExt,
    future::{Either, select},
    stream,
};
use moka::sync::Cache;
use seal::{FileKey, SealError};
use store::{CommitError, Intent, StoreError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    DownloadError, Media, MediaId, StoredFile, UploadError,
    applier::MediaRows,
    change::{Change, Outcome, Refusal, Rendition},
    rows,
    sealing::{Bounds, sealed_chunks},
    thumbnail::{self, MAX_SOURCE_BYTES, RenderError, Rendered, Size},
};

/// How many pictures are open at once: each may take much memory, and a core.
const AT_ONCE: usize = 2;

/// How long a request waits for its turn, and then for its thumbnail.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many files that have no thumbnail are remembered, and for how long.
const REMEMBERED: u64 = 10_000;
const REMEMBERED_FOR: Duration = Duration::from_secs(3_600);

/// Where thumbnails are made, a few at a time.
pub(crate) struct Studio {
    places: Arc<Semaphore>,
    /// A file never changes, so one that was refused would be refused again; and one that took
    /// too long may be tried again when it is quieter.
    refused: Cache<MediaId, RenderError>,
}

impl Studio {
    pub(crate) fn new() -> Self {
        Self {
            places: Arc::new(Semaphore::new(AT_ONCE)),
            refused: Cache::builder()
                .max_capacity(REMEMBERED)
                .time_to_live(REMEMBERED_FOR)
                .build(),
        }
    }
}

/// Why there is no thumbnail.
#[derive(Debug, thiserror::Error)]
pub enum ThumbnailError {
    /// There is none of this file.
    #[error(transparent)]
    Refused(#[from] RenderError),
    /// Too many others are being made.
    #[error("too many thumbnails are being made")]
    Busy {
        /// When to ask again.
        retry_after: Duration,
    },
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] DownloadError),
    /// Sealing failed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The place for blobs failed.
    #[error(transparent)]
    Blobs(#[from] BlobError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Media {
    /// Finds a thumbnail, or makes it; waits for the file when it is still on its way.
    pub async fn thumbnail(
        &self,
        id: &MediaId,
        size: Size,
        patience: Duration,
    ) -> Result<StoredFile, ThumbnailError> {
        let file = self.open_within(id, patience).await?;
        if let Some(made) = self.made_before(id, size).await? {
            return Ok(made);
        }
        if let Some(refusal) = self.studio.refused.get(id) {
            return Err(refusal.into());
        }
        if file.size_bytes() > MAX_SOURCE_BYTES {
            return Err(RenderError::TooLarge.into());
        }
        let place = self.place().await?;
        // Whoever had the place before may have made this very one.
        if let Some(made) = self.made_before(id, size).await? {
            return Ok(made);
        }
        let content = read(&file).await?;
        let rendered = self.render(content, size, place).await?;
        if let Err(refusal) = &rendered {
            self.studio.refused.insert(id.clone(), refusal.clone());
        }
        self.keep(id, &file, size, rendered?).await
    }

    /// Makes a small picture of one that came from elsewhere; neither of them is stored.
    pub async fn redraw(&self, picture: Bytes, size: Size) -> Result<Rendered, ThumbnailError> {
        let place = self.place().await?;
        Ok(self.render(picture, size, place).await??)
    }

    /// Waits for a turn.
    async fn place(&self) -> Result<OwnedSemaphorePermit, ThumbnailError> {
        let places = Arc::clone(&self.studio.places);
        let waited = self.patiently(places.acquire_owned()).await?;
        waited.map_err(|_| StoreError::Unavailable("this node stops".to_owned()).into())
    }

    async fn made_before(
        &self,
        id: &MediaId,
        size: Size,
    ) -> Result<Option<StoredFile>, ThumbnailError> {
        let snapshot = self.log.database().snapshot().await?;
        let found = rows::find_thumbnail(&snapshot, &self.keyring, id, size).await?;
        drop(snapshot);
        Ok(found.map(|found| self.stored(found)).transpose()?)
    }

    /// Waits, but not for ever.
    async fn patiently<T>(&self, work: impl Future<Output = T>) -> Result<T, ThumbnailError> {
        let patience = self.log.clock().sleep(PATIENCE);
        match select(std::pin::pin!(work), patience).await {
            Either::Left((done, _)) => Ok(done),
            Either::Right(_) => Err(ThumbnailError::Busy {
                retry_after: PATIENCE,
            }),
        }
    }

    /// Makes a thumbnail on a thread of its own, which keeps its place until it is done, even if
    /// nobody waits for it any more.
    async fn render(
        &self,
        content: impl AsRef<[u8]> + Send + 'static,
        size: Size,
        place: OwnedSemaphorePermit,
    ) -> Result<Result<Rendered, RenderError>, ThumbnailError> {
        let work = tokio::task::spawn_blocking(move || {
            let _place = place;
            thumbnail::render(content.as_ref(), size)
        });
        let Ok(ended) = self.patiently(work).await else {
            // It goes on where it is, and nobody begins it anew: a picture that is made to take
            // long must not take all places for ever.
            return Ok(Err(RenderError::TooLarge));
        };
        match ended {
            Ok(rendered) => Ok(rendered),
            // Decoders that panic are caught where they are asked: this is what comes after them.
            Err(error) if error.is_panic() => {
                tracing::warn!("making a thumbnail panicked; the file has none");
                Ok(Err(RenderError::Unsupported))
            }
            Err(_) => Err(StoreError::Unavailable("this node stops".to_owned()).into()),
        }
    }

    /// Seals and stores a thumbnail; when another was faster, gives that one.
    async fn keep(
        &self,
        id: &MediaId,
        file: &StoredFile,
        size: Size,
        rendered: Rendered,
    ) -> Result<StoredFile, ThumbnailError> {
        let blob = BlobId::generate(&*self.entropy);
        let key = FileKey::generate(&*self.entropy);
        let size_bytes = rendered.bytes.len() as u64;
        self.put(blob, &key, rendered.bytes).await?;
        let rendition = Rendition {
            of: id.clone(),
            owner: file.owner,
            size,
            blob,
            size_bytes,
            key,
            content_type: rendered.content_type,
        };
        let mut intent = Intent::new();
        let ticket = intent.add::<MediaRows>(Arc::new(Change::Thumbnail(rendition)));
        let is_ours = match self.log.commit(intent).await {
            Ok(mut committed) => committed.take(ticket) == Some(Outcome::Done),
            Err(error) => {
                let missing = unkept(error)?;
                self.drop_blob(blob).await;
                return Err(missing.into());
            }
        };
        if !is_ours {
            self.drop_blob(blob).await;
        }
        let made = self.made_before(id, size).await?;
        Ok(made.ok_or(DownloadError::Missing)?)
    }

    async fn put(&self, blob: BlobId, key: &FileKey, bytes: Vec<u8>) -> Result<(), ThumbnailError> {
        let bounds = Bounds {
            max_size_bytes: u64::MAX,
            left_bytes: u64::MAX,
            announced_bytes: None,
        };
        let source = stream::iter([Ok::<_, BlobError>(Bytes::from(bytes))]);
        let source = std::pin::pin!(source);
        let stored = self.blobs.put(blob, sealed_chunks(source, key, bounds));
        match stored.await {
            Ok(_) => Ok(()),
            Err(PutError::Source(UploadError::Seal(error))) => Err(error.into()),
            Err(PutError::Source(error)) => Err(StoreError::Refused(error.to_string()).into()),
            Err(PutError::Blob(error)) => Err(error.into()),
        }
    }
}

/// What a refusal means; any other failure leaves the blob for the sweep.
fn unkept(error: CommitError) -> Result<DownloadError, StoreError> {
    match error.refusal::<MediaRows>() {
        Ok(
            Refusal::Missing
            | Refusal::NotOwner
            | Refusal::HasContent
            | Refusal::QuotaReached
            | Refusal::TooManyPending(_),
        ) => Ok(DownloadError::Missing),
        Err(error) => Err(error.into_store()),
    }
}

/// All of a file that is known to be small enough.
async fn read(file: &StoredFile) -> Result<Vec<u8>, DownloadError> {
    let mut content = file.open_at(0).await?;
    let mut bytes = Vec::with_capacity(usize::try_from(file.size_bytes()).unwrap_or(0));
    while let Some(piece) = content.try_next().await? {
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

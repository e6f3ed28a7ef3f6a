//! Giving files out: chunks are opened while they stream, and only what is proved is given.

use blobs::{BlobError, BlobId, Blobs, Reading};
use bytes::{Bytes, BytesMut};
use futures_util::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use seal::{CHUNK_OVERHEAD, FileKey, FileOpener, SealError};
use store::StoreError;

use crate::{
    Media, MediaId,
    layout::{Layout, Span},
    rows::{self, Found},
};

/// A file that can be read.
pub struct StoredFile {
    /// The content type that its uploader gave.
    pub content_type: Option<String>,
    /// The name that its uploader gave.
    pub file_name: Option<String>,
    /// An interned user id.
    pub(crate) owner: i64,
    layout: Layout,
    blob: BlobId,
    key: FileKey,
    blobs: Blobs,
}

/// A file's bytes as they are opened. After an error nothing follows; what came before it is
/// the file's content.
pub type Content = BoxStream<'static, Result<Bytes, DownloadError>>;

/// Why a file cannot be read, or no further.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// There is no file of this id.
    #[error("there is no such file")]
    Missing,
    /// The id was given out, and its content has not come yet.
    #[error("the content of this file has not been uploaded yet")]
    NotYetUploaded,
    /// A place after the file's end was asked for.
    #[error("the file has {size_bytes} bytes, and byte {offset} was asked for")]
    OutOfRange {
        /// The file's size.
        size_bytes: u64,
        /// What was asked for.
        offset: u64,
    },
    /// What is stored is not what was uploaded.
    #[error("the blob {blob} is damaged: {fault}")]
    Damaged {
        /// The blob.
        blob: BlobId,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// The row does not open.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The place for blobs failed.
    #[error(transparent)]
    Blobs(#[from] BlobError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What an id stands for.
pub(crate) enum Lookup {
    File(Box<StoredFile>),
    /// Its owner, an interned user id, has yet to upload.
    Pending(i64),
    Nothing,
}

impl Lookup {
    /// The file, or nothing when it may still come.
    pub(crate) fn settled(self) -> Result<Option<StoredFile>, DownloadError> {
        match self {
            Self::File(file) => Ok(Some(*file)),
            Self::Pending(_) => Ok(None),
            Self::Nothing => Err(DownloadError::Missing),
        }
    }
}

impl Media {
    /// Finds a file. Everybody who is signed in may read every file whose id they know.
    pub async fn open(&self, id: &MediaId) -> Result<StoredFile, DownloadError> {
        let found = self.look_up(id).await?.settled()?;
        found.ok_or(DownloadError::NotYetUploaded)
    }

    pub(crate) async fn look_up(&self, id: &MediaId) -> Result<Lookup, DownloadError> {
        // The snapshot ends here: none may wait for a client that reads slowly.
        let snapshot = self.log.database().snapshot().await?;
        if let Some(found) = rows::find(&snapshot, &self.keyring, id).await? {
            return self.stored(found).map(|file| Lookup::File(Box::new(file)));
        }
        let now = self.log.clock().now().as_millis();
        let pending = rows::pending(&snapshot, id.as_str()).await?;
        let pending = pending.filter(|pending| pending.expires_at > now);
        Ok(pending.map_or(Lookup::Nothing, |pending| Lookup::Pending(pending.owner)))
    }

    /// What a row tells, ready to be read.
    pub(crate) fn stored(&self, found: Found) -> Result<StoredFile, DownloadError> {
        let layout = Layout::of_plain(found.size_bytes).ok_or(DownloadError::Damaged {
            blob: found.blob,
            fault: "its size is past all bounds",
        })?;
        Ok(StoredFile {
            content_type: found.content_type,
            file_name: found.file_name,
            owner: found.owner,
            layout,
            blob: found.blob,
            key: found.key,
            blobs: self.blobs.clone(),
        })
    }
}

impl StoredFile {
    /// The size of the content.
    pub fn size_bytes(&self) -> u64 {
        self.layout.size_bytes()
    }

    /// Streams the content from a plain byte to the end.
    pub async fn open_at(&self, offset: u64) -> Result<Content, DownloadError> {
        self.open_range(offset, u64::MAX).await
    }

    /// Streams `length` bytes of the content from a plain byte on, or as many as there are; only
    /// the chunks that hold them are read.
    ///
    /// The stored length and the first chunk are proved before this returns, so that most
    /// damage is an error before an answer has begun.
    pub async fn open_range(&self, offset: u64, length: u64) -> Result<Content, DownloadError> {
        let size_bytes = self.layout.size_bytes();
        let span = self
            .layout
            .span(offset, length)
            .ok_or(DownloadError::OutOfRange { size_bytes, offset })?;
        let reading = self
            .blobs
            .read_range(self.blob, span.sealed_offset, span.sealed_bytes)
            .await
            .map_err(|error| self.missing_or(error))?;
        if reading.blob_bytes != self.layout.sealed_bytes() {
            return Err(self.damaged("its length is not the one that was stored"));
        }
        let mut opening = Opening::new(self, reading, span);
        let first = opening.next_chunk().await?.unwrap_or_default();
        let rest = stream::try_unfold(opening, |mut opening| async move {
            let chunk = opening.next_chunk().await.inspect_err(|error| {
                // The answer has begun: nobody above can tell the client, or log it.
                tracing::error!(%error, "a download was cut off");
            })?;
            Ok(chunk.map(|chunk| (chunk, opening)))
        });
        let whole = stream::iter([Ok(first)]).chain(rest);
        Ok(whole
            .try_filter(|chunk| std::future::ready(!chunk.is_empty()))
            .boxed())
    }

    /// A blob that a row names must be there.
    fn missing_or(&self, error: BlobError) -> DownloadError {
        match error {
            BlobError::Missing(_) => self.damaged("it is missing"),
            BlobError::OutOfRange { .. } => self.damaged("it is cut short"),
            other => other.into(),
        }
    }

    fn damaged(&self, fault: &'static str) -> DownloadError {
        let blob = self.blob;
        DownloadError::Damaged { blob, fault }
    }
}

/// A file while its chunks are opened in order.
struct Opening {
    blob: BlobId,
    layout: Layout,
    opener: FileOpener,
    sealed: BoxStream<'static, Result<Bytes, BlobError>>,
    waiting: BytesMut,
    /// The next chunk; `None` after the last that is wanted.
    next: Option<u64>,
    last: u64,
    /// How many bytes of the next chunk nobody wants.
    skip: usize,
    /// How many bytes are still wanted.
    left: u64,
}

impl Opening {
    fn new(file: &StoredFile, reading: Reading, span: Span) -> Self {
        Self {
            blob: file.blob,
            layout: file.layout,
            opener: FileOpener::new(&file.key),
            sealed: reading.bytes,
            waiting: BytesMut::new(),
            next: Some(span.first),
            last: span.last,
            skip: span.skip,
            left: span.plain_bytes,
        }
    }

    async fn next_chunk(&mut self) -> Result<Option<Bytes>, DownloadError> {
        let Some(index) = self.next else {
            return Ok(None);
        };
        let damaged = |fault| DownloadError::Damaged {
            blob: self.blob,
            fault,
        };
        let length = self.layout.sealed_length(index);
        while self.waiting.len() < length {
            match self.sealed.try_next().await? {
                Some(piece) => self.waiting.extend_from_slice(&piece),
                None => return Err(damaged("it is cut short")),
            }
        }
        let sealed = self.waiting.split_to(length);
        let plain = self
            .opener
            .chunk(index, self.layout.is_last(index), &sealed)
            .map_err(|_| damaged("a chunk does not open"))?;
        debug_assert_eq!(plain.len() + CHUNK_OVERHEAD, length);
        self.next = (index < self.last).then_some(index + 1);
        Ok(Some(self.wanted_of(plain.into())))
    }

    /// What of a chunk belongs to the part that is read.
    fn wanted_of(&mut self, mut plain: Bytes) -> Bytes {
        let mut wanted = plain.split_off(self.skip.min(plain.len()));
        self.skip = 0;
        wanted.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= wanted.len() as u64;
        wanted
    }
}

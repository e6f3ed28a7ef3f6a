//! Large sealed values, in a folder.
//!
//! What is stored here is opaque: whoever puts it has sealed it before, and checks it when it
//! is read again. A blob is written once and never changed. It is there whole and durable, or
//! not at all: a crash at any instant leaves no part of it behind its id.

mod error;
mod folder;
mod id;

use std::path::PathBuf;

use bytes::Bytes;
use futures_util::{Stream, stream::BoxStream};
use model::time::Timestamp;

pub use error::{BlobError, PutError};
use folder::Folder;
pub use id::BlobId;

/// Where blobs are kept. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Blobs {
    engine: Engine,
}

#[derive(Clone, Debug)]
enum Engine {
    Folder(Folder),
}

/// A blob, or a part of one, as it is read.
pub struct Reading {
    /// The size of the whole blob, whatever part of it is read.
    pub blob_bytes: u64,
    /// The bytes, in pieces of any length; fails when fewer are there than were to be read.
    pub bytes: BoxStream<'static, Result<Bytes, BlobError>>,
}

impl Blobs {
    /// Opens the place that a URL names: `file://` and the path of a folder.
    ///
    /// The folder is made when it is missing, for its owner alone. A folder that cannot be
    /// written is refused here rather than at the first upload.
    pub async fn open(url: &str) -> Result<Self, BlobError> {
        match url.strip_prefix("file://") {
            Some("") => Err(BlobError::Refused(
                "files.url names no folder after file://".to_owned(),
            )),
            Some(path) => Self::in_folder(PathBuf::from(path)).await,
            None => {
                // The rest of a URL may hold credentials, so only its scheme is shown.
                let scheme = url
                    .split_once("://")
                    .map_or("no scheme", |(scheme, _)| scheme);
                Err(BlobError::Refused(format!(
                    "files.url has {scheme:?}, and files can be kept only in a folder: \
                     file:// and its path"
                )))
            }
        }
    }

    /// Opens a folder, as [`Blobs::open`] does.
    pub async fn in_folder(path: PathBuf) -> Result<Self, BlobError> {
        let folder = Folder::open(path).await?;
        Ok(Self {
            engine: Engine::Folder(folder),
        })
    }

    /// Opens a folder that is only read, such as a copy on a medium that cannot be written.
    pub fn in_read_only_folder(path: PathBuf) -> Self {
        Self {
            engine: Engine::Folder(Folder::of(path)),
        }
    }

    /// Stores a blob as it streams in, and tells its size; durable when this returns.
    ///
    /// A failing source leaves nothing behind, and neither does dropping the call, unless the
    /// last byte had come: then the blob may be there, whole.
    pub async fn put<E>(
        &self,
        id: BlobId,
        source: impl Stream<Item = Result<Bytes, E>> + Send,
    ) -> Result<u64, PutError<E>> {
        match &self.engine {
            Engine::Folder(folder) => folder.put(id, source).await,
        }
    }

    /// Reads a blob from its beginning to its end.
    pub async fn get(&self, id: BlobId) -> Result<Reading, BlobError> {
        self.read_range(id, 0, u64::MAX).await
    }

    /// Reads `length` bytes from `offset` on, or as many as there are.
    ///
    /// An `offset` past the end is refused.
    pub async fn read_range(
        &self,
        id: BlobId,
        offset: u64,
        length: u64,
    ) -> Result<Reading, BlobError> {
        match &self.engine {
            Engine::Folder(folder) => folder.read_range(id, offset, length).await,
        }
    }

    /// Removes a blob, and tells whether it was there.
    pub async fn delete(&self, id: BlobId) -> Result<bool, BlobError> {
        match &self.engine {
            Engine::Folder(folder) => folder.delete(id).await,
        }
    }

    /// The blobs written before a moment whose ids begin with one byte, in no order.
    ///
    /// Who asks for each of the 256 first bytes in turn has seen all, without holding all.
    pub async fn written_before(
        &self,
        moment: Timestamp,
        first_byte: u8,
    ) -> Result<Vec<BlobId>, BlobError> {
        match &self.engine {
            Engine::Folder(folder) => folder.written_before(moment, first_byte).await,
        }
    }

    /// Whether no blob is here.
    pub async fn is_empty(&self) -> Result<bool, BlobError> {
        let any_time = Timestamp::from_millis(i64::MAX);
        for first_byte in 0..=u8::MAX {
            if !self.written_before(any_time, first_byte).await?.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Removes what unfinished puts have left behind, if they last wrote before a moment.
    pub async fn sweep_temporary(&self, last_written_before: Timestamp) -> Result<u64, BlobError> {
        match &self.engine {
            Engine::Folder(folder) => folder.sweep_temporary(last_written_before).await,
        }
    }
}

//! Large sealed values, in a folder or in S3.
//!
//! What is stored here is opaque: whoever puts it has sealed it before, and checks it when it
//! is read again. A blob is written once and never changed. It is there whole and durable, or
//! not at all: a crash at any instant leaves no part of it behind its id.

mod error;
mod folder;
mod gathered;
mod id;
mod metrics;
mod s3;

use std::{path::PathBuf, sync::Arc};

use bytes::Bytes;
use futures_util::{Stream, stream::BoxStream};
use model::{
    entropy::Entropy,
    time::{Clock, Timestamp},
};

pub use error::{BlobError, PutError};
use folder::Folder;
pub use id::BlobId;
use s3::S3;
pub use s3::S3Options;

/// What is read of an S3's answers by code of our own.
pub mod s3_answer {
    pub use crate::s3::{
        said::Said,
        sweep::blob_at,
        uploads::{ListedUpload, UploadsPage},
    };
}

/// Where blobs are kept. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Blobs {
    engine: Engine,
}

#[derive(Clone, Debug)]
enum Engine {
    Folder(Folder),
    S3(S3),
}

/// A blob, or a part of one, as it is read.
pub struct Reading {
    /// The size of the whole blob, whatever part of it is read.
    pub blob_bytes: u64,
    /// The bytes, in pieces of any length; fails when fewer are there than were to be read.
    pub bytes: BoxStream<'static, Result<Bytes, BlobError>>,
}

impl Blobs {
    /// Opens a folder.
    ///
    /// It is made when it is missing, for its owner alone. A folder that cannot be written is
    /// refused here rather than at the first upload.
    pub async fn in_folder(path: PathBuf) -> Result<Self, BlobError> {
        let folder = Folder::open(path).await?;
        Ok(Self {
            engine: Engine::Folder(folder),
        })
    }

    /// Opens a bucket, which has to be there.
    ///
    /// An object is written, read and removed, so that a bucket that cannot be used is refused
    /// here rather than at the first upload.
    pub async fn in_s3(
        options: &S3Options,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, BlobError> {
        let s3 = S3::open(options, clock, entropy).await?;
        Ok(Self {
            engine: Engine::S3(s3),
        })
    }

    /// Opens a folder that is only read, such as a copy on a medium that cannot be written.
    pub fn in_read_only_folder(path: PathBuf) -> Self {
        Self {
            engine: Engine::Folder(Folder::of(path)),
        }
    }

    /// Tries a folder as it is: writes a file of its own, reads it back, and removes it. Tells
    /// whether the folder is there; it is not made.
    pub async fn examine_folder(path: PathBuf, entropy: &dyn Entropy) -> Result<bool, BlobError> {
        Folder::examine(path, BlobId::generate(entropy)).await
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
            Engine::S3(s3) => s3.put(id, source).await,
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
            Engine::S3(s3) => s3.read_range(id, offset, length).await,
        }
    }

    /// Removes a blob, and tells whether it was there.
    pub async fn delete(&self, id: BlobId) -> Result<bool, BlobError> {
        match &self.engine {
            Engine::Folder(folder) => folder.delete(id).await,
            Engine::S3(s3) => s3.delete(id).await,
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
            Engine::S3(s3) => s3.written_before(moment, first_byte).await,
        }
    }

    /// Whether no blob is here.
    pub async fn is_empty(&self) -> Result<bool, BlobError> {
        match &self.engine {
            Engine::Folder(folder) => folder.is_empty().await,
            Engine::S3(s3) => s3.is_empty().await,
        }
    }

    /// Removes what unfinished puts have left behind, if they last wrote before a moment; in S3,
    /// if they began before it.
    pub async fn sweep_temporary(&self, last_written_before: Timestamp) -> Result<u64, BlobError> {
        match &self.engine {
            Engine::Folder(folder) => folder.sweep_temporary(last_written_before).await,
            Engine::S3(s3) => s3.sweep_temporary(last_written_before).await,
        }
    }
}

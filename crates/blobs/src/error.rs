//! What can go wrong with blobs.

use std::io;

use crate::BlobId;

/// A failure to keep, find or read a blob.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The place for blobs cannot be used.
    #[error("{0}")]
    Refused(String),
    /// There is no blob of this id.
    #[error("the blob {0} does not exist")]
    Missing(BlobId),
    /// A blob of this id is there already, or is being written.
    #[error("the blob {0} exists already")]
    Exists(BlobId),
    /// A range begins after the blob's end.
    #[error("the blob {id} has {blob_bytes} bytes, and byte {offset} was asked for")]
    OutOfRange {
        /// The blob.
        id: BlobId,
        /// Its size.
        blob_bytes: u64,
        /// Where the range begins.
        offset: u64,
    },
    /// A text is not the id of a blob.
    #[error("this is not the id of a blob")]
    NotAnId,
    /// The file system failed.
    #[error("cannot {doing}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// S3 failed, or was not to be reached; tried again for some seconds where that may help.
    #[error("cannot {doing} in S3: {said}")]
    S3 {
        /// What was tried.
        doing: &'static str,
        /// What S3 answered, or why it did not.
        said: String,
    },
}

/// Why a blob was not stored.
#[derive(Debug, thiserror::Error)]
pub enum PutError<E> {
    /// What was to be stored failed before its end.
    #[error("the source of a blob failed")]
    Source(#[source] E),
    /// The place for blobs failed.
    #[error(transparent)]
    Blob(#[from] BlobError),
}

/// Tells what was tried when it failed.
pub(crate) trait Doing<T> {
    fn doing(self, doing: &'static str) -> Result<T, BlobError>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, doing: &'static str) -> Result<T, BlobError> {
        self.map_err(|source| BlobError::Io { doing, source })
    }
}

//! Why a copy was not made, or is not restored.

use std::{io, path::Path};

use blobs::BlobError;
use seal::SealError;
use store::StoreError;

/// A failure to make, check or restore a copy. Each is a whole sentence for whoever asked.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The place for the copy, or the copy that was named, cannot be used as it is.
    #[error("{0}")]
    Refused(String),
    /// A file of the copy is not what was written.
    #[error("{file}: {fault}: this copy cannot be trusted, use another one")]
    Damaged {
        /// The file, or the table in it.
        file: String,
        /// What is wrong with it.
        fault: String,
    },
    /// What has arrived at the new place of a deployment is not what left the old one.
    #[error(
        "{what} is not at the new place as it is at the old one: run the command again with \
         --again, which begins anew, and check the disks of both if it comes back"
    )]
    Differs {
        /// The table or the file.
        what: String,
    },
    /// A file or a folder failed.
    #[error("cannot {doing} {path}: {source}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The place for blobs failed.
    #[error(transparent)]
    Blobs(#[from] BlobError),
    /// The keys failed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl CopyError {
    pub(crate) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io {
            doing,
            path: path.display().to_string(),
            source,
        }
    }

    pub(crate) fn damaged(file: impl Into<String>, fault: impl Into<String>) -> Self {
        Self::Damaged {
            file: file.into(),
            fault: fault.into(),
        }
    }
}

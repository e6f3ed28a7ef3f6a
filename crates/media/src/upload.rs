//! Taking files in.

use std::{error::Error, pin::pin, sync::Arc};

use blobs::{BlobError, BlobId, PutError};
use bytes::Bytes;
use futures_util::Stream;
use ruma::OwnedUserId;
use seal::{FileKey, SealError};
use store::{CommitError, Intent, StoreError};

use crate::{
    Media, MediaId,
    layout::Layout,
    rows::{MediaRows, Uploaded},
    sealing::{Bounds, sealed_chunks},
};

/// The longest content type that is kept.
pub const MAX_CONTENT_TYPE_BYTES: usize = 255;

/// The longest file name that is kept.
pub const MAX_FILE_NAME_BYTES: usize = 1_024;

/// What is known of a file before its content arrives.
#[derive(Clone, Debug)]
pub struct NewFile {
    /// Who uploads it.
    pub owner: OwnedUserId,
    /// Its content type, as the uploader says.
    pub content_type: Option<String>,
    /// Its name, as the uploader says.
    pub file_name: Option<String>,
    /// Its size, when the uploader announces it.
    pub size_bytes: Option<u64>,
}

/// Why a file was not taken; nothing of it stays.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The file is larger than this server takes.
    #[error("the file is larger than the {max_size_bytes} bytes that this server takes")]
    TooLarge {
        /// The largest size that is taken.
        max_size_bytes: u64,
    },
    /// Fewer or more bytes arrived than were announced.
    #[error("{arrived_bytes} bytes arrived, and {announced_bytes} were announced")]
    Truncated {
        /// The announced size.
        announced_bytes: u64,
        /// What arrived.
        arrived_bytes: u64,
    },
    /// The content broke off.
    #[error("the upload broke off")]
    Broken(#[source] Box<dyn Error + Send + Sync>),
    /// The content type or the file name is longer than is kept.
    #[error("the {what} is longer than {max_bytes} bytes")]
    TextTooLong {
        /// Which of them.
        what: &'static str,
        /// The longest that is kept.
        max_bytes: usize,
    },
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
    /// Stores a file as it streams in; when this returns it is durable and can be read.
    ///
    /// An upload that fails or is dropped leaves no row, and nothing that [`Media::sweep`]
    /// does not remove.
    pub async fn upload<E>(
        &self,
        file: NewFile,
        source: impl Stream<Item = Result<Bytes, E>> + Send,
    ) -> Result<MediaId, UploadError>
    where
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        self.check(&file)?;
        let bounds = Bounds {
            max_size_bytes: self.max_size_bytes,
            announced_bytes: file.size_bytes,
        };
        let (id, blob) = (
            MediaId::generate(&*self.entropy),
            BlobId::generate(&*self.entropy),
        );
        let key = FileKey::generate(&*self.entropy);
        let source = pin!(source);
        let stored = self.blobs.put(blob, sealed_chunks(source, &key, bounds));
        let sealed_bytes = stored.await.map_err(|error| match error {
            PutError::Source(error) => error,
            PutError::Blob(error) => error.into(),
        })?;
        let layout = Layout::of_sealed(sealed_bytes).ok_or(SealError::FileDamaged)?;
        let uploaded = Uploaded {
            id: id.clone(),
            owner: file.owner,
            blob,
            size_bytes: layout.size_bytes(),
            key,
            content_type: file.content_type,
            file_name: file.file_name,
        };
        let mut intent = Intent::new();
        intent.add::<MediaRows>(Arc::new(uploaded));
        // When this fails, the blob stays for the sweep: a row without a blob would be worse.
        let committed = self.log.commit(intent).await;
        committed.map_err(CommitError::into_store)?;
        Ok(id)
    }

    /// What can be refused before a byte has arrived.
    fn check(&self, file: &NewFile) -> Result<(), UploadError> {
        let max_size_bytes = self.max_size_bytes;
        if file.size_bytes.is_some_and(|size| size > max_size_bytes) {
            return Err(UploadError::TooLarge { max_size_bytes });
        }
        for (what, text, max_bytes) in [
            ("content type", &file.content_type, MAX_CONTENT_TYPE_BYTES),
            ("file name", &file.file_name, MAX_FILE_NAME_BYTES),
        ] {
            if text.as_ref().is_some_and(|text| text.len() > max_bytes) {
                return Err(UploadError::TextTooLong { what, max_bytes });
            }
        }
        Ok(())
    }
}

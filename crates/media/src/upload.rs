//! Taking files in.

use std::{error::Error, pin::pin, sync::Arc};

use blobs::{BlobError, BlobId, PutError};
use bytes::Bytes;
use futures_util::Stream;
use ruma::{OwnedUserId, UserId};
use seal::{FileKey, SealError};
use store::{Intent, StoreError};

use crate::{
    Media, MediaId, Usage,
    applier::MediaRows,
    change::{Change, Refusal, Uploaded},
    layout::Layout,
    rows,
    sealing::{Bounds, sealed_chunks},
    work::judge,
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
    /// The uploader would have more than each user may.
    #[error("you have uploaded as much as this server keeps for each user")]
    QuotaReached,
    /// The id was never given out before its content, or has expired.
    #[error("no content is expected under this id")]
    NoSuchId,
    /// The id was given to somebody else.
    #[error("this id was given to somebody else")]
    NotOwner,
    /// The id has content already.
    #[error("this id has content already")]
    HasContent,
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
        let quota_bytes = self.limits.max_per_user_bytes;
        self.upload_within(quota_bytes, file, source).await
    }

    /// Does the same for an owner who is not a person, and who has a quota of their own.
    pub async fn upload_within<E>(
        &self,
        quota_bytes: u64,
        file: NewFile,
        source: impl Stream<Item = Result<Bytes, E>> + Send,
    ) -> Result<MediaId, UploadError>
    where
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let id = MediaId::generate(&*self.entropy);
        self.store((&id, false), quota_bytes, file, source).await?;
        Ok(id)
    }

    /// Stores the content of an id that [`Media::reserve`] gave out, as [`Media::upload`] does.
    pub async fn upload_to<E>(
        &self,
        id: &MediaId,
        file: NewFile,
        source: impl Stream<Item = Result<Bytes, E>> + Send,
    ) -> Result<(), UploadError>
    where
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let quota_bytes = self.limits.max_per_user_bytes;
        self.store((id, true), quota_bytes, file, source).await
    }

    async fn store<E>(
        &self,
        (id, is_reserved): (&MediaId, bool),
        quota_bytes: u64,
        file: NewFile,
        source: impl Stream<Item = Result<Bytes, E>> + Send,
    ) -> Result<(), UploadError>
    where
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        self.check_texts(&file)?;
        let used_bytes = self.admit(id, is_reserved, &file.owner).await?;
        let bounds = Bounds {
            max_size_bytes: self.limits.max_size_bytes,
            left_bytes: quota_bytes.saturating_sub(used_bytes),
            announced_bytes: file.size_bytes,
        };
        bounds.check_announced()?;
        let blob = BlobId::generate(&*self.entropy);
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
            is_reserved,
            blob,
            size_bytes: layout.size_bytes(),
            key,
            content_type: file.content_type,
            file_name: file.file_name,
            quota_bytes,
        };
        self.add(uploaded).await
    }

    /// Adds the row of a file whose blob is durable.
    async fn add(&self, file: Uploaded) -> Result<(), UploadError> {
        let blob = file.blob;
        let mut intent = Intent::new();
        intent.add::<MediaRows>(Arc::new(Change::Add(file)));
        let Err(error) = self.log.commit(intent).await else {
            return Ok(());
        };
        match error.refusal::<MediaRows>() {
            Ok(refusal) => {
                self.drop_blob(blob).await;
                Err(refusal.into())
            }
            // The blob stays for the sweep: a row without a blob would be worse.
            Err(error) => Err(error.into_store().into()),
        }
    }

    /// Removes a blob that certainly has no row.
    pub(crate) async fn drop_blob(&self, blob: BlobId) {
        if let Err(error) = self.blobs.delete(blob).await {
            tracing::warn!(%error, "a blob without a file stays until the next sweep");
        }
    }

    /// What can be refused before a byte has arrived; how many bytes the user has uploaded.
    async fn admit(
        &self,
        id: &MediaId,
        is_reserved: bool,
        owner: &UserId,
    ) -> Result<u64, UploadError> {
        let snapshot = self.log.database().snapshot().await?;
        let names = self.log.database().names();
        let user = names.user(&snapshot, owner.as_str()).await?;
        if is_reserved {
            let content_of = rows::owner(&snapshot, id.as_str()).await?;
            let pending = rows::pending(&snapshot, id.as_str()).await?;
            // Who was never interned has no id, and no user has this number.
            let user = user.unwrap_or(i64::MIN);
            judge(content_of, pending, user, self.log.clock().now())?;
        }
        let usage = match user {
            Some(user) => rows::usage(&snapshot, user).await?,
            None => Usage::default(),
        };
        Ok(usage.size_bytes)
    }

    fn check_texts(&self, file: &NewFile) -> Result<(), UploadError> {
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

impl From<Refusal> for UploadError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Missing => Self::NoSuchId,
            Refusal::NotOwner => Self::NotOwner,
            Refusal::HasContent => Self::HasContent,
            Refusal::QuotaReached => Self::QuotaReached,
            Refusal::TooManyPending(_) => {
                Self::Store(StoreError::Refused("an upload was refused".to_owned()))
            }
        }
    }
}

//! Writing a blob: at once when it is small, in parts when it is not. S3 shows an object when the
//! last byte has come and its checksum is right, and no part of it before.

use std::pin::pin;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use object_store::{
    Attribute, Attributes, MultipartUpload, ObjectStore, PutMode, PutMultipartOptions, PutOptions,
    PutPayload,
};
use tokio::{runtime::Handle, task::JoinSet};

use super::{S3, STAMP, said::said};
use crate::{BlobError, BlobId, PutError, gathered::Gathered};

/// How large a part is. An upload holds at most three of them: one that is gathered, and those
/// that are on their way.
const PART_BYTES: usize = 8 * 1_048_576;

/// How many parts are on their way at once.
const IN_FLIGHT: usize = 2;

/// S3 takes no more parts for one object.
const MOST_PARTS: usize = 10_000;

impl S3 {
    pub(crate) async fn put<E>(
        &self,
        id: BlobId,
        source: impl Stream<Item = Result<Bytes, E>> + Send,
    ) -> Result<u64, PutError<E>> {
        let mut source = pin!(source);
        let mut gathered = Gathered::default();
        let mut size_bytes = 0;
        let mut upload: Option<Upload> = None;
        while let Some(piece) = source.next().await {
            let piece = match piece {
                Ok(piece) => piece,
                Err(error) => {
                    if let Some(upload) = upload {
                        upload.abandon().await;
                    }
                    return Err(PutError::Source(error));
                }
            };
            size_bytes += piece.len() as u64;
            gathered.add(piece);
            while let Some(part) = gathered.take(PART_BYTES) {
                let mut begun = match upload.take() {
                    Some(upload) => upload,
                    None => Upload::begin(self, id).await?,
                };
                if let Err(error) = begun.send(part).await {
                    begun.abandon().await;
                    return Err(error.into());
                }
                upload = Some(begun);
            }
        }
        let rest = gathered.rest();
        match upload {
            None => self.put_at_once(id, rest).await?,
            // From here on it is finished, or else abandoned, even when nobody waits for it.
            Some(upload) => match tokio::spawn(upload.finish(rest)).await {
                Ok(finished) => finished?,
                Err(error) => return Err(failed(&error).into()),
            },
        }
        Ok(size_bytes)
    }

    async fn put_at_once(&self, id: BlobId, content: Vec<Bytes>) -> Result<(), BlobError> {
        let stamp = self.new_stamp();
        self.check_free(id).await?;
        let mode = match self.inner.is_conditional {
            true => PutMode::Create,
            false => PutMode::Overwrite,
        };
        let options = PutOptions {
            mode,
            attributes: stamped(&stamp),
            ..PutOptions::default()
        };
        let (path, payload) = (self.path(id), PutPayload::from_iter(content));
        match self.inner.store.put_opts(&path, payload, options).await {
            Ok(_) => Ok(()),
            Err(error) => {
                let error = said(&error).failed("write a blob");
                self.settle(id, &stamp, error).await
            }
        }
    }

    /// Looks whether a blob is there, where S3 does not do that itself.
    async fn check_free(&self, id: BlobId) -> Result<(), BlobError> {
        if !self.inner.is_conditional && self.find(id).await?.is_some() {
            return Err(BlobError::Exists(id));
        }
        Ok(())
    }

    /// What has become of a put that seems to have failed. Its answer may have been lost, and the
    /// request that was made again have found its own work: the stamp tells.
    async fn settle(&self, id: BlobId, stamp: &str, error: BlobError) -> Result<(), BlobError> {
        match self.find(id).await {
            Ok(Some(found)) if found.stamp.as_deref() == Some(stamp) => Ok(()),
            Ok(Some(_)) => Err(BlobError::Exists(id)),
            Ok(None) | Err(_) => Err(error),
        }
    }

    pub(super) fn new_stamp(&self) -> String {
        BlobId::generate(&*self.inner.entropy).to_string()
    }
}

pub(super) fn stamped(stamp: &str) -> Attributes {
    let mut attributes = Attributes::new();
    attributes.insert(Attribute::Metadata(STAMP.into()), stamp.to_owned().into());
    attributes
}

fn failed(error: &tokio::task::JoinError) -> BlobError {
    BlobError::S3 {
        doing: "write a blob",
        said: error.to_string(),
    }
}

/// A blob whose parts are on their way; the parts go when this is dropped.
struct Upload {
    s3: S3,
    id: BlobId,
    stamp: String,
    count: usize,
    // Before the upload, so that no part is on its way when the upload is aborted.
    parts: JoinSet<object_store::Result<()>>,
    upload: Unfinished,
}

impl Upload {
    async fn begin(s3: &S3, id: BlobId) -> Result<Self, BlobError> {
        let path = s3.path(id);
        s3.check_free(id).await?;
        let stamp = s3.new_stamp();
        let options = PutMultipartOptions {
            attributes: stamped(&stamp),
            ..PutMultipartOptions::default()
        };
        let begun = s3.inner.store.put_multipart_opts(&path, options).await;
        let upload = begun.map_err(|error| said(&error).failed("begin a blob"))?;
        Ok(Self {
            s3: s3.clone(),
            id,
            stamp,
            count: 0,
            parts: JoinSet::new(),
            upload: Unfinished(Some(upload)),
        })
    }

    /// Sends a part as soon as there is room for it.
    async fn send(&mut self, part: Vec<Bytes>) -> Result<(), BlobError> {
        while self.parts.len() >= IN_FLIGHT {
            self.wait_for_one().await?;
        }
        self.count += 1;
        if self.count > MOST_PARTS {
            let most = MOST_PARTS * PART_BYTES;
            return Err(BlobError::Refused(format!(
                "a file in S3 has at most {most} bytes"
            )));
        }
        if let Some(upload) = &mut self.upload.0 {
            self.parts
                .spawn(upload.put_part(PutPayload::from_iter(part)));
        }
        Ok(())
    }

    /// Waits until some part has arrived.
    async fn wait_for_one(&mut self) -> Result<(), BlobError> {
        match self.parts.join_next().await {
            None | Some(Ok(Ok(()))) => Ok(()),
            Some(Ok(Err(error))) => Err(said(&error).failed("write a part of a blob")),
            Some(Err(error)) => Err(failed(&error)),
        }
    }

    /// Makes a blob of the parts, or else leaves nothing.
    async fn finish(mut self, rest: Vec<Bytes>) -> Result<(), BlobError> {
        match self.complete(rest).await {
            Ok(()) => {
                self.upload.0 = None;
                Ok(())
            }
            Err(error) => {
                let settled = self.s3.settle(self.id, &self.stamp, error).await;
                match settled {
                    Ok(()) => self.upload.0 = None,
                    Err(_) => self.abandon().await,
                }
                settled
            }
        }
    }

    async fn complete(&mut self, rest: Vec<Bytes>) -> Result<(), BlobError> {
        if !rest.is_empty() {
            self.send(rest).await?;
        }
        while !self.parts.is_empty() {
            self.wait_for_one().await?;
        }
        self.s3.check_free(self.id).await?;
        let Some(upload) = &mut self.upload.0 else {
            return Ok(());
        };
        match upload.complete().await {
            Ok(_) => Ok(()),
            Err(error) => Err(said(&error).failed("finish a blob")),
        }
    }

    async fn abandon(mut self) {
        self.parts.shutdown().await;
        if let Some(upload) = self.upload.0.take() {
            abort(upload).await;
        }
    }
}

/// An upload that is aborted when it is dropped.
struct Unfinished(Option<Box<dyn MultipartUpload>>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        let Some(upload) = self.0.take() else { return };
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(abort(upload))),
            Err(_) => tracing::warn!("an unfinished blob stays until the next sweep"),
        }
    }
}

async fn abort(mut upload: Box<dyn MultipartUpload>) {
    match upload.abort().await {
        // It is gone already: the sweep of another node, or a lifecycle rule.
        Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
        Err(error) => {
            let error = said(&error).sentence;
            // The sweep removes it later, or the bucket's own rule.
            tracing::warn!(error, "an unfinished blob could not be removed");
        }
    }
}

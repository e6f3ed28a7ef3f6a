//! Trying a bucket before anything depends on it.

use std::sync::Arc;

use futures_util::TryStreamExt;
use model::{entropy::Entropy, time::Clock};
use object_store::{
    Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, path::Path,
};

use super::{
    S3, S3Options,
    said::{Said, said},
};
use crate::BlobError;

impl S3 {
    /// Opens a bucket in which an object can be written, read and removed.
    pub(crate) async fn open(
        options: &S3Options,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, BlobError> {
        let s3 = Self::new(options, true, Arc::clone(&clock), Arc::clone(&entropy))?;
        match s3.probe().await {
            Ok(()) => Ok(s3),
            Err(said) if said.is_unknown() => {
                let s3 = Self::new(options, false, clock, entropy)?;
                let tried = s3.probe().await;
                tried.map_err(|said| explain(options, &said))?;
                tracing::warn!(
                    "this S3 does not know If-None-Match: two files of one id would not be told \
                     apart, which nothing but chance makes"
                );
                Ok(s3)
            }
            Err(said) => Err(explain(options, &said)),
        }
    }

    async fn probe(&self) -> Result<(), Said> {
        let name = format!("probe-{}", self.new_stamp());
        let path: Path = self.inner.prefix.clone().join(name);
        let options = PutOptions {
            mode: match self.inner.is_conditional {
                true => PutMode::Create,
                false => PutMode::Overwrite,
            },
            ..PutOptions::default()
        };
        let store = &self.inner.store;
        let put = store.put_opts(&path, PutPayload::from_static(b"probe"), options);
        match put.await {
            // Then a request that seemed to be lost was not.
            Ok(_) | Err(Error::AlreadyExists { .. }) => {}
            Err(error) => return Err(said(&error)),
        }
        let read = async { store.get(&path).await?.bytes().await };
        let read = read.await.map(|content| content == "probe");
        let removed = store.delete(&path).await;
        match (read, removed) {
            (Ok(true), Ok(())) => {}
            (Ok(false), _) => return Err(Said::of("it gives other bytes than it was given")),
            (Err(error), _) | (_, Err(error)) => return Err(said(&error)),
        }
        // What a sweep does.
        let listed = store.list(Some(&self.inner.prefix)).try_next().await;
        listed.map(drop).map_err(|error| said(&error))
    }
}

/// What is wrong with a bucket, and what to do about it.
fn explain(options: &S3Options, said: &Said) -> BlobError {
    let S3Options {
        endpoint, bucket, ..
    } = options;
    let advice = match (said.status, said.code.as_deref().unwrap_or_default()) {
        (_, "InvalidAccessKeyId" | "SignatureDoesNotMatch") => {
            "check files.access_key_id and files.secret_access_key"
        }
        (_, "RequestTimeTooSkewed") => "set this machine\u{2019}s clock",
        (Some(404), _) => "make the bucket first, and check its name, and style= in files.url",
        (Some(401 | 403), _) => {
            "the key of files.access_key_id must be allowed to list the bucket, and to read, write \
             and remove objects in it"
        }
        (Some(300..=400), _) => "check region= and endpoint= in files.url",
        (Some(_), _) => "see what its own log says",
        (None, _) if said.sentence.contains("redirect") => {
            "check region= and endpoint= in files.url"
        }
        (None, _) if said.sentence.contains("certificate") => {
            "point files.ca_file at the certificates that vouch for it"
        }
        (None, _) => "check that it runs, and endpoint= in files.url",
    };
    let sentence = &said.sentence;
    BlobError::Refused(format!(
        "files cannot be kept in the bucket {bucket} at {endpoint} ({sentence}): {advice}"
    ))
}

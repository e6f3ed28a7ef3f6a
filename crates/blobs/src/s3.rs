//! The S3 engine: the object `ab/cd/abcd…` below the prefix holds a blob. What is still being
//! written is an upload that S3 shows to nobody.

mod probe;
pub(crate) mod said;
pub(crate) mod sweep;
mod upload;
pub(crate) mod uploads;
mod wire;

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use model::{entropy::Entropy, time::Clock};
use object_store::{
    Attribute, BackoffConfig, Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt,
    RetryConfig,
    aws::{AmazonS3, AmazonS3Builder, AwsCredential, Checksum, S3ConditionalPut},
    path::Path,
};
use rustls::RootCertStore;
use zeroize::Zeroizing;

use crate::{BlobError, BlobId, Reading};
use said::{Said, said};
use wire::Wire;

/// How often a request is made again after an answer of 5xx or a broken connection: about three
/// seconds, all pauses together.
const RETRIES: usize = 5;

/// When no request is made again any more.
const RETRY_WITHIN: Duration = Duration::from_secs(60);

/// The first pause before a request is made again; each is up to twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The metadata that tells one put from all others.
const STAMP: &str = "conclave-put";

/// Where a bucket is, and who asks.
#[derive(Clone)]
pub struct S3Options {
    /// The address of the server: `https://` or `http://` and a host, with or without a port.
    pub endpoint: String,
    /// The region, which is part of every signature.
    pub region: String,
    /// The bucket.
    pub bucket: String,
    /// Whether the bucket is named by the host (`bucket.host`) instead of the path.
    pub is_virtual_host: bool,
    /// What stands before the names of all blobs; empty, or without a slash at either end.
    pub prefix: String,
    /// The id of the key with which requests are signed.
    pub access_key_id: String,
    /// The key.
    pub secret_access_key: Zeroizing<String>,
    /// Who may vouch for the server.
    pub roots: RootCertStore,
}

impl S3Options {
    /// What all requests about the bucket begin with.
    fn bucket_url(&self) -> String {
        let endpoint = self.endpoint.trim_end_matches('/');
        match endpoint.split_once("://") {
            Some((scheme, host)) if self.is_virtual_host => {
                format!("{scheme}://{}.{host}", self.bucket)
            }
            _ => format!("{endpoint}/{}", self.bucket),
        }
    }
}

/// A bucket that has been tried. Cheap to clone.
#[derive(Clone)]
pub(crate) struct S3 {
    inner: Arc<Inner>,
}

struct Inner {
    store: AmazonS3,
    wire: Wire,
    credential: AwsCredential,
    region: String,
    bucket_url: String,
    prefix: Path,
    entropy: Arc<dyn Entropy>,
    /// Whether puts ask S3 to refuse them where something stands already.
    is_conditional: bool,
}

impl fmt::Debug for S3 {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "S3({})", self.inner.bucket_url)
    }
}

/// What is known of an object without reading it.
struct Found {
    size_bytes: u64,
    stamp: Option<String>,
}

impl S3 {
    fn new(
        options: &S3Options,
        is_conditional: bool,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, BlobError> {
        let refused = |error: &dyn fmt::Display| {
            BlobError::Refused(format!("files.url cannot be used: {error}"))
        };
        let wire = Wire::new(options.roots.clone(), is_conditional, clock);
        let bucket_url = options.bucket_url();
        let endpoint = match options.is_virtual_host {
            true => &bucket_url,
            false => &options.endpoint,
        };
        // Not `from_env`: nothing but the configuration says who asks, and where.
        let store = AmazonS3Builder::new()
            .with_endpoint(endpoint)
            .with_virtual_hosted_style_request(options.is_virtual_host)
            .with_allow_http(true)
            .with_region(&options.region)
            .with_bucket_name(&options.bucket)
            .with_access_key_id(&options.access_key_id)
            .with_secret_access_key(options.secret_access_key.as_str())
            .with_checksum_algorithm(Checksum::SHA256)
            .with_conditional_put(S3ConditionalPut::ETagMatch)
            .with_disable_bulk_delete(true)
            .with_retry(RetryConfig {
                backoff: BackoffConfig {
                    init_backoff: FIRST_PAUSE,
                    max_backoff: LONGEST_PAUSE,
                    base: 2.0,
                },
                max_retries: RETRIES,
                retry_timeout: RETRY_WITHIN,
            })
            .with_http_connector(wire.clone())
            .build()
            .map_err(|error| refused(&error))?;
        let prefix = Path::parse(&options.prefix).map_err(|error| refused(&error))?;
        Ok(Self {
            inner: Arc::new(Inner {
                store,
                wire,
                credential: AwsCredential {
                    key_id: options.access_key_id.clone(),
                    secret_key: options.secret_access_key.as_str().to_owned(),
                    token: None,
                },
                region: options.region.clone(),
                bucket_url,
                prefix,
                entropy,
                is_conditional,
            }),
        })
    }

    /// Where a blob stands.
    fn path(&self, id: BlobId) -> Path {
        let within = Path::from(id.path_in_folder());
        let parts = within.parts();
        parts.fold(self.inner.prefix.clone(), |path, part| path.join(part))
    }

    pub(crate) async fn read_range(
        &self,
        id: BlobId,
        offset: u64,
        length: u64,
    ) -> Result<Reading, BlobError> {
        if length == 0 {
            let found = self.find(id).await?.ok_or(BlobError::Missing(id))?;
            return nothing_of(id, offset, found.size_bytes);
        }
        let options = GetOptions {
            range: Some(range(offset, length)),
            ..GetOptions::default()
        };
        let got = match self.inner.store.get_opts(&self.path(id), options).await {
            Ok(got) => got,
            Err(error) => {
                let said = said(&error);
                if said.is_missing() {
                    return Err(BlobError::Missing(id));
                }
                // No range of an object begins at its end.
                if said.status == Some(416)
                    && let Some(found) = self.find(id).await?
                    && offset >= found.size_bytes
                {
                    return nothing_of(id, offset, found.size_bytes);
                }
                return Err(said.failed("read a blob"));
            }
        };
        let blob_bytes = got.meta.size;
        let left = blob_bytes.saturating_sub(offset).min(length);
        let bytes = exactly(left, got.into_stream());
        Ok(Reading {
            blob_bytes,
            bytes: bytes.boxed(),
        })
    }

    pub(crate) async fn delete(&self, id: BlobId) -> Result<bool, BlobError> {
        // S3 does not tell whether there was anything to remove.
        if self.find(id).await?.is_none() {
            return Ok(false);
        }
        match self.inner.store.delete(&self.path(id)).await {
            Ok(()) => Ok(true),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(said(&error).failed("remove a blob")),
        }
    }

    /// What is known of a blob, if it is there.
    async fn find(&self, id: BlobId) -> Result<Option<Found>, BlobError> {
        let options = GetOptions {
            head: true,
            ..GetOptions::default()
        };
        match self.inner.store.get_opts(&self.path(id), options).await {
            Ok(got) => {
                let stamp = got.attributes.get(&Attribute::Metadata(STAMP.into()));
                Ok(Some(Found {
                    size_bytes: got.meta.size,
                    stamp: stamp.map(|stamp| stamp.as_ref().to_owned()),
                }))
            }
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(said(&error).failed("look for a blob")),
        }
    }
}

/// The range to ask for. Also the whole is asked for as one: then the answer tells the size of
/// the object apart from its own, and cannot be cut short unseen.
fn range(offset: u64, length: u64) -> GetRange {
    // Servers count in 63 bits.
    match offset.checked_add(length).filter(|end| *end < 1 << 63) {
        Some(end) => GetRange::Bounded(offset..end),
        None => GetRange::Offset(offset),
    }
}

/// A part of a blob in which there is nothing.
fn nothing_of(id: BlobId, offset: u64, blob_bytes: u64) -> Result<Reading, BlobError> {
    if offset > blob_bytes {
        return Err(BlobError::OutOfRange {
            id,
            blob_bytes,
            offset,
        });
    }
    Ok(Reading {
        blob_bytes,
        bytes: stream::empty().boxed(),
    })
}

/// Passes on so many bytes, and fails when there are fewer or more.
fn exactly(
    bytes: u64,
    source: impl Stream<Item = object_store::Result<Bytes>> + Send + 'static,
) -> impl Stream<Item = Result<Bytes, BlobError>> + Send {
    const DOING: &str = "read a blob";
    stream::try_unfold((source.boxed(), bytes), |(mut source, left)| async move {
        match source.next().await {
            None if left == 0 => Ok(None),
            None => Err(Said::of("the answer ended early").failed(DOING)),
            Some(Err(error)) => Err(said(&error).failed(DOING)),
            Some(Ok(piece)) => match left.checked_sub(piece.len() as u64) {
                Some(left) => Ok(Some((piece, (source, left)))),
                None => Err(Said::of("the answer is longer than it said").failed(DOING)),
            },
        }
    })
}

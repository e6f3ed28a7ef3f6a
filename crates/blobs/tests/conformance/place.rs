//! Places for blobs, and what is put there.

use std::{
    convert::Infallible,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use blobs::{BlobError, BlobId, Blobs, S3Options};
use bytes::Bytes;
use futures_util::{Stream, TryStreamExt, stream};
use model::{entropy::Entropy, time::Timestamp};
use rustls::RootCertStore;
use tempfile::TempDir;
use testkit::{
    clock::FakeClock,
    s3::{ACCESS_KEY_ID, BUCKET, S3Server, SECRET_ACCESS_KEY},
};

/// More than one part of an upload to S3.
pub(crate) const SEVERAL_PARTS: usize = 9_000_000;

pub(crate) const LATER: Timestamp = Timestamp::from_millis(i64::MAX);
pub(crate) const EARLIER: Timestamp = Timestamp::from_millis(0);

pub(crate) struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        aws_lc_rs::rand::fill(buffer).unwrap();
    }
}

/// A place, and the blobs of a node that keeps them there.
pub(crate) struct Place {
    pub(crate) blobs: Blobs,
    ground: Ground,
}

enum Ground {
    Folder(TempDir),
    S3(S3Server),
}

impl Place {
    pub(crate) async fn folder() -> Self {
        Self::on(Ground::Folder(tempfile::tempdir().unwrap())).await
    }

    pub(crate) async fn s3() -> Self {
        Self::on(Ground::S3(S3Server::start().await)).await
    }

    async fn on(ground: Ground) -> Self {
        let blobs = ground.open().await;
        Self { blobs, ground }
    }

    /// The same place as another node sees it.
    pub(crate) async fn another_node(&self) -> Blobs {
        self.ground.open().await
    }

    /// How many files or objects there are, and unfinished ones.
    pub(crate) fn stored(&self) -> usize {
        match &self.ground {
            Ground::Folder(root) => files(root.path()).len(),
            Ground::S3(server) => server.objects().len() + server.unfinished(),
        }
    }
}

impl Ground {
    async fn open(&self) -> Blobs {
        match self {
            Self::Folder(root) => Blobs::in_folder(root.path().into()).await.unwrap(),
            Self::S3(server) => open(&options(server), &FakeClock::default()).await.unwrap(),
        }
    }
}

pub(crate) async fn open(options: &S3Options, clock: &FakeClock) -> Result<Blobs, BlobError> {
    Blobs::in_s3(options, Arc::new(clock.clone()), Arc::new(SystemEntropy)).await
}

pub(crate) fn options(server: &S3Server) -> S3Options {
    S3Options {
        endpoint: server.endpoint(),
        region: "eu-test-1".to_owned(),
        bucket: BUCKET.to_owned(),
        is_virtual_host: false,
        prefix: "chat/files".to_owned(),
        access_key_id: ACCESS_KEY_ID.to_owned(),
        secret_access_key: SECRET_ACCESS_KEY.to_owned().into(),
        roots: RootCertStore::empty(),
    }
}

pub(crate) fn new_id() -> BlobId {
    BlobId::generate(&SystemEntropy)
}

pub(crate) fn pieces(
    content: &[u8],
    length: usize,
) -> impl Stream<Item = Result<Bytes, Infallible>> + use<> {
    let pieces: Vec<_> = content
        .chunks(length)
        .map(|piece| Ok(Bytes::copy_from_slice(piece)))
        .collect();
    stream::iter(pieces)
}

pub(crate) fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 31 % 251) as u8).collect()
}

pub(crate) async fn read(
    blobs: &Blobs,
    id: BlobId,
    offset: u64,
    length: u64,
) -> Result<Vec<u8>, BlobError> {
    let reading = blobs.read_range(id, offset, length).await?;
    let pieces: Vec<Bytes> = reading.bytes.try_collect().await?;
    Ok(pieces.concat())
}

pub(crate) async fn listed(blobs: &Blobs) -> Vec<BlobId> {
    let mut listed = Vec::new();
    for first_byte in 0..=255 {
        listed.extend(blobs.written_before(LATER, first_byte).await.unwrap());
    }
    listed
}

pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

//! A node's files on a database and a folder of their own.

use std::{
    convert::Infallible,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use blobs::Blobs;
use bytes::Bytes;
use futures_util::{Stream, TryStreamExt, stream};
use media::{DownloadError, Limits, Media, MediaId, NewFile};
use model::{entropy::Entropy, time::Clock};
use ruma::{OwnedUserId, UserId};
use seal::{KeySource, Keyring, MasterKey};
use store::{Database, DatabaseOptions, Location, Log, LogBuilder};
use tempfile::TempDir;
use testkit::{clock::FakeClock, entropy::SeededEntropy, postgres::TestDatabase};

pub(crate) const MAX_SIZE_BYTES: u64 = 1_000_000;
pub(crate) const MAX_PER_USER_BYTES: u64 = 1_800_000;

pub(crate) struct Fixture {
    pub(crate) media: Media,
    pub(crate) log: Log,
    pub(crate) clock: FakeClock,
    pub(crate) folder: TempDir,
    location: Location,
    _postgres: Option<TestDatabase>,
}

impl Fixture {
    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::Sqlite(folder.path().join("conclave.db"));
        Self::start(folder, location, None).await
    }

    pub(crate) async fn postgres() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let postgres = testkit::postgres::database().await;
        let location = Location::Postgres(postgres.url.clone());
        Self::start(folder, location, Some(postgres)).await
    }

    pub(crate) async fn both() -> [Self; 2] {
        [Self::sqlite().await, Self::postgres().await]
    }

    async fn start(folder: TempDir, location: Location, postgres: Option<TestDatabase>) -> Self {
        let clock = FakeClock::default();
        let (media, log) = node(folder.path(), &location, &clock, 1).await;
        Self {
            media,
            log,
            clock,
            folder,
            location,
            _postgres: postgres,
        }
    }

    /// A second node on the same database and folder (PostgreSQL only).
    pub(crate) async fn second_node(&self) -> Media {
        node(self.folder.path(), &self.location, &self.clock, 2)
            .await
            .0
    }

    pub(crate) fn files_root(&self) -> PathBuf {
        self.folder.path().join("files")
    }

    /// All files below the folder for blobs, finished or not.
    pub(crate) fn stored_files(&self) -> Vec<PathBuf> {
        files_below(&self.files_root())
    }

    pub(crate) async fn put(&self, content: &[u8]) -> MediaId {
        let file = NewFile {
            size_bytes: Some(content.len() as u64),
            ..new_file("@alice:localhost")
        };
        self.media
            .upload(file, pieces(content, 10_000))
            .await
            .unwrap()
    }
}

async fn node(folder: &Path, location: &Location, clock: &FakeClock, seed: u64) -> (Media, Log) {
    let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(seed));
    let source = KeySource::File(folder.join("master.key"));
    let master = MasterKey::unlock(&source, location, &*entropy)
        .await
        .unwrap();
    let options = DatabaseOptions {
        location: location.clone(),
        server_name: "localhost".to_owned(),
        migrations: vec![seal::MIGRATIONS, media::MIGRATIONS],
        readers: 2,
    };
    let database = Database::open(options).await.unwrap();
    let clock: Arc<dyn Clock> = Arc::new(clock.clone());
    let keyring = Keyring::unlock(&database, master, Arc::clone(&entropy), Arc::clone(&clock));
    let keyring = keyring.await.unwrap();
    let builder = Media::register(LogBuilder::new(database, clock), &keyring);
    let log = builder.start().await.unwrap();
    let blobs = Blobs::in_folder(folder.join("files")).await.unwrap();
    let limits = Limits {
        max_size_bytes: MAX_SIZE_BYTES,
        max_per_user_bytes: MAX_PER_USER_BYTES,
    };
    let media = Media::new(log.clone(), keyring, blobs, entropy, limits);
    (media, log)
}

pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path));
        } else {
            found.push(path);
        }
    }
    found
}

pub(crate) fn new_file(owner: &str) -> NewFile {
    NewFile {
        owner: user(owner),
        content_type: Some("image/png".to_owned()),
        file_name: Some("cat.png".to_owned()),
        size_bytes: None,
    }
}

pub(crate) fn user(id: &str) -> OwnedUserId {
    UserId::parse(id).unwrap()
}

pub(crate) fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 31 % 251) as u8).collect()
}

pub(crate) fn pieces(
    content: &[u8],
    length: usize,
) -> impl Stream<Item = Result<Bytes, Infallible>> + Send + use<> {
    let pieces: Vec<_> = content
        .chunks(length)
        .map(|piece| Ok(Bytes::copy_from_slice(piece)))
        .collect();
    stream::iter(pieces)
}

pub(crate) async fn read(media: &Media, id: &MediaId, at: u64) -> Result<Vec<u8>, DownloadError> {
    let content = media.open(id).await?.open_at(at).await?;
    let pieces: Vec<Bytes> = content.try_collect().await?;
    Ok(pieces.concat())
}

//! Memory does not grow with a file. This is a program of its own: it measures itself.
#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::{convert::Infallible, fs, sync::Arc};

use blobs::Blobs;
use bytes::Bytes;
use futures_util::{TryStreamExt, stream};
use media::{Limits, Media, NewFile};
use model::{entropy::Entropy, time::Clock};
use ruma::owned_user_id;
use seal::{KeySource, Keyring, MasterKey};
use store::{Database, DatabaseOptions, Location, LogBuilder};
use testkit::{clock::FakeClock, entropy::SeededEntropy};

const PIECE: usize = 65_536;
const PIECES: usize = 256 * 1_048_576 / PIECE;

/// What an upload and a download may take, whatever the size: the file is sixteen times as large.
const MOST_BYTES: u64 = 16 * 1_048_576;

async fn media(folder: &std::path::Path) -> Media {
    let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(1));
    let clock: Arc<dyn Clock> = Arc::new(FakeClock::default());
    let location = Location::Sqlite(folder.join("conclave.db"));
    let source = KeySource::File(folder.join("master.key"));
    let master = MasterKey::unlock(&source, &location, &*entropy);
    let master = master.await.unwrap();
    let database = Database::open(DatabaseOptions {
        location,
        server_name: "localhost".to_owned(),
        migrations: vec![seal::MIGRATIONS, media::MIGRATIONS],
        readers: 1,
    });
    let database = database.await.unwrap();
    let keyring = Keyring::unlock(&database, master, Arc::clone(&entropy), Arc::clone(&clock));
    let keyring = keyring.await.unwrap();
    let builder = Media::register(LogBuilder::new(database, clock), &keyring);
    let log = builder.start().await.unwrap();
    let blobs = Blobs::in_folder(folder.join("files")).await.unwrap();
    let limits = Limits {
        max_size_bytes: u64::MAX >> 1,
        max_per_user_bytes: u64::MAX >> 1,
    };
    Media::new(log, keyring, blobs, entropy, limits)
}

/// The most memory that this process has ever had.
fn peak_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.unwrap().split_whitespace().nth(1).unwrap();
    kib.parse::<u64>().unwrap() * 1_024
}

/// Uploads this many pieces, and reads them again.
async fn there_and_back(media: &Media, pieces: usize) {
    // Each piece is memory of its own, as what arrives from a network is.
    let piece = |at| Ok::<_, Infallible>(Bytes::from(vec![at as u8; PIECE]));
    let source = stream::iter((0..pieces).map(piece));
    let file = NewFile {
        owner: owned_user_id!("@alice:localhost"),
        content_type: None,
        file_name: None,
        size_bytes: Some((pieces * PIECE) as u64),
    };
    let id = media.upload(file, source).await.unwrap();
    let stored = media.open(&id).await.unwrap();
    let mut content = stored.open_at(0).await.unwrap();
    let mut read = 0;
    while let Some(piece) = content.try_next().await.unwrap() {
        read += piece.len();
    }
    assert_eq!(read, pieces * PIECE);
}

#[tokio::test]
async fn a_large_file_takes_no_more_memory_than_a_small_one() {
    let folder = tempfile::tempdir().unwrap();
    let media = media(folder.path()).await;
    // Everything that is made once is made here.
    there_and_back(&media, 32).await;
    let before = peak_bytes();
    there_and_back(&media, PIECES).await;
    let grown = peak_bytes() - before;
    assert!(grown < MOST_BYTES, "{grown} bytes more");
}

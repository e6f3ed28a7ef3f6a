//! The owners below the face, real ones, on a database and a folder that all tests share.

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
    thread,
};

use blobs::Blobs;
use media::Media;
use model::{entropy::Entropy, time::Clock};
use seal::{KeySource, Keyring, MasterKey};
use store::{Database, DatabaseOptions, Location, LogBuilder};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::{Counting, HandClock};
use crate::Owners;

pub(super) const MAX_FILE_BYTES: u64 = 1_000_000;

struct Shared {
    owners: Owners,
    folder: TempDir,
    /// What the owners run on; a test's own runtime ends with the test.
    _runtime: Runtime,
}

/// The owners; made when they are first asked for.
pub(super) fn shared() -> Owners {
    make_shared().owners.clone()
}

/// Where the blobs are.
pub(super) fn files_root() -> PathBuf {
    make_shared().folder.path().join("files")
}

fn make_shared() -> &'static Shared {
    static SHARED: OnceLock<Shared> = OnceLock::new();
    // A thread of its own: a test's thread may be inside a runtime, where none can be started.
    SHARED.get_or_init(|| thread::spawn(start).join().unwrap())
}

fn start() -> Shared {
    let runtime = Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let owners = runtime.block_on(open(folder.path().to_owned()));
    Shared {
        owners,
        folder,
        _runtime: runtime,
    }
}

async fn open(folder: PathBuf) -> Owners {
    let entropy: Arc<dyn Entropy> = Arc::new(Counting::default());
    let clock: Arc<dyn Clock> = Arc::new(HandClock::default());
    let location = Location::Sqlite(folder.join("conclave.db"));
    let source = KeySource::File(folder.join("master.key"));
    let master = MasterKey::unlock(&source, &location, &*entropy)
        .await
        .unwrap();
    let options = DatabaseOptions {
        location,
        server_name: "localhost".to_owned(),
        migrations: vec![seal::MIGRATIONS, media::MIGRATIONS],
        readers: 2,
    };
    let database = Database::open(options).await.unwrap();
    let keyring = Keyring::unlock(&database, master, Arc::clone(&entropy), Arc::clone(&clock));
    let keyring = keyring.await.unwrap();
    let builder = Media::register(LogBuilder::new(database, clock), &keyring);
    let log = builder.start().await.unwrap();
    let blobs = Blobs::in_folder(folder.join("files")).await.unwrap();
    let media = Media::new(log, keyring, blobs, entropy, MAX_FILE_BYTES);
    Owners { media }
}

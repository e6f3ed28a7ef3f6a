//! The owners below the face, over a database of their own.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    time::Duration,
};

use accounts::{
    AccountChanges, Accounts, By, Grant, NewAccount, NewDevice, RegistrationMode,
    Settings as AccountSettings, emails::EmailChanges,
};
use audit::AuditTrail;
use blobs::Blobs;
use bridging::Bridging;
use bus::{Bus, NodeId};
use keys::Keys;
use lifecycle::Lifecycle;
use media::{Limits, Media};
use outbound::{Outbound, Policy};
use outbox::Outbox;
use people::Directory;
use push::Gateways;
use pushers::{PusherChanges, Pushers};
use reports::{ReportChanges, Reports};
use rooms::{EncryptionPolicy, Rooms, RoomsOptions};
use ruma::{RoomVersionId, owned_device_id, owned_server_name, user_id};
use seal::{KeySource, Keyring, MasterKey};
use search::Search;
use store::{Database, DatabaseOptions, Location, LogBuilder};
use sync::Sync;
use testkit::{clock::FakeClock, entropy::SeededEntropy};

use crate::Owners;

/// The largest file that is taken.
pub(super) const MAX_FILE_BYTES: u64 = 1_000_000;

pub(super) const PASSWORD: &str = "correct horse";

/// The owners, on a runtime of their own: some tests that need them are not asynchronous.
pub(super) struct Home {
    pub(super) owners: Owners,
    /// Where the blobs are.
    pub(super) files: PathBuf,
    /// Ends the runtime when it is dropped.
    _running: mpsc::Sender<()>,
}

impl Home {
    /// An empty database.
    pub(super) fn empty() -> Self {
        Self::start(false)
    }

    /// A database with `alice`, `bob` and `carol`, each with a device `DEVICE`.
    pub(super) fn with_people() -> Self {
        Self::start(true)
    }

    fn start(people: bool) -> Self {
        let (running, ended) = mpsc::channel::<()>();
        let (started, starting) = mpsc::channel();
        std::thread::spawn(move || {
            let folder = tempfile::tempdir().unwrap();
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let owners = runtime.block_on(owners(folder.path(), people));
            started.send((owners, folder.path().join("files"))).unwrap();
            // Nothing is ever sent: it returns when the other side is dropped.
            let _ = ended.recv();
        });
        let (owners, files) = starting.recv().unwrap();
        Self {
            owners,
            files,
            _running: running,
        }
    }
}

async fn owners(folder: &Path, people: bool) -> Owners {
    let location = Location::Sqlite(folder.join("conclave.db"));
    let clock = Arc::new(FakeClock::default());
    let entropy = Arc::new(SeededEntropy::new(1));
    let source = KeySource::Text(
        "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="
            .to_owned()
            .into(),
    );
    let master = MasterKey::unlock(&source, &location, &*entropy)
        .await
        .unwrap();
    let database = Database::open(DatabaseOptions {
        location,
        server_name: "localhost".to_owned(),
        migrations: vec![
            seal::MIGRATIONS,
            audit::MIGRATIONS,
            accounts::MIGRATIONS,
            rooms::MIGRATIONS,
            keys::MIGRATIONS,
            media::MIGRATIONS,
            reports::MIGRATIONS,
            pushers::MIGRATIONS,
            push::MIGRATIONS,
            sync::MIGRATIONS,
            search::MIGRATIONS,
            outbox::MIGRATIONS,
            bridging::MIGRATIONS,
        ],
        readers: 4,
    })
    .await
    .unwrap();
    let keyring = Keyring::unlock(&database, master, entropy.clone(), clock.clone())
        .await
        .unwrap();
    let changes = AccountChanges::new(keyring.clone());
    let rooms = Rooms::new(
        RoomsOptions {
            server_name: owned_server_name!("localhost"),
            default_version: RoomVersionId::V12,
            encryption: EncryptionPolicy::Private,
            on_invite: accounts::demand_invitable,
            on_delayed: accounts::demand_standing,
        },
        database.clone(),
        keyring.clone(),
        clock.clone(),
        entropy.clone(),
    );
    let emails = EmailChanges::new(keyring.clone(), clock.clone());
    let builder = LogBuilder::new(database, clock).register(Arc::clone(&changes));
    let builder = builder.register(emails);
    let builder = rooms.register(builder);
    let builder = Media::register(builder, &keyring);
    let log = Keys::register(builder, &keyring)
        .register(Arc::new(ReportChanges::new(keyring.clone())))
        .register(Arc::new(PusherChanges::new(keyring.clone())))
        .register(Arc::new(AuditTrail::new(keyring.clone(), entropy.clone())))
        .start()
        .await
        .unwrap();
    let settings = AccountSettings {
        server_name: owned_server_name!("localhost"),
        registration: RegistrationMode::Open,
        shared_secret: None,
        access_token_lifetime: Duration::from_secs(300),
        limit_guesses: true,
        mail: false,
        reserved_name: "notices".to_owned(),
        policies: Vec::new(),
        guests: false,
        on_guest: rooms::note_guest,
        appservices: Default::default(),
    };
    let accounts = Accounts::new(
        log.clone(),
        changes,
        keyring.clone(),
        entropy.clone(),
        settings,
    );
    if people {
        join(&accounts, "alice").await;
        join(&accounts, "bob").await;
        join(&accounts, "carol").await;
        let alice = accounts.account(user_id!("@alice:localhost")).await;
        let alice = alice.unwrap().unwrap();
        assert_eq!(alice.user, 1, "tokens of tests stand for the first users");
    }
    let keys = Keys::new(log.clone(), keyring.clone(), entropy.clone());
    let blobs = Blobs::in_folder(folder.join("files")).await.unwrap();
    let limits = Limits {
        max_size_bytes: MAX_FILE_BYTES,
        max_per_user_bytes: 3_000_000,
    };
    let media = Media::new(log.clone(), keyring.clone(), blobs, entropy, limits);
    let pushers = Pushers::new(log.clone(), keyring.clone());
    let outbound = Outbound::new(Policy::default(), Arc::clone(log.clock()), push::USER_AGENT);
    let bridging = Bridging::new(
        log.clone(),
        accounts.clone(),
        rooms.clone(),
        keys.clone(),
        Outbox::new(log.clone(), Arc::new(SeededEntropy::new(3))),
        outbound.clone(),
    );
    let sync = Sync::start(
        log.clone(),
        accounts.clone(),
        rooms.clone(),
        keys.clone(),
        Bus::in_process(NodeId::generate(&SeededEntropy::new(2))),
        true,
    );
    Owners {
        sync: sync.await.unwrap(),
        reports: Reports::new(log.clone(), keyring.clone()),
        directory: Directory::new(accounts.clone(), rooms.clone()),
        search: Search::new(
            log.clone(),
            keyring.clone(),
            accounts.clone(),
            rooms.clone(),
        ),
        lifecycle: Lifecycle::new(
            log.clone(),
            accounts.clone(),
            keys.clone(),
            rooms.clone(),
            pushers.clone(),
        ),
        pushers,
        gateways: Gateways::new(outbound, false),
        log,
        accounts,
        rooms,
        keys,
        media,
        previews: None,
        bridging,
    }
}

async fn join(accounts: &Accounts, localpart: &str) {
    let new = NewAccount {
        localpart: Some(localpart.to_owned()),
        password: Some(PASSWORD.to_owned().into()),
        device: Some(NewDevice {
            device_id: Some(owned_device_id!("DEVICE")),
            display_name: Some(format!("{localpart}'s phone")),
            ..Default::default()
        }),
        ..Default::default()
    };
    let registered = accounts.register(new, Grant::Administrator, By::command_line());
    registered.await.unwrap();
}

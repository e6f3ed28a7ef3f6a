//! A deployment of one or two nodes over a database of its own: everything below the face.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use accounts::{AccountChanges, Accounts, Policy, RegistrationMode, Settings};
use audit::AuditTrail;
use blobs::Blobs;
use bus::{Bus, NodeId};
use client_api::{Owners, TurnServers};
use keys::Keys;
use lifecycle::Lifecycle;
use media::{Limits, Media};
use model::time::Clock;
use outbound::{Outbound, Policy};
use people::Directory;
use previews::Previews;
use reports::{ReportChanges, Reports};
use rooms::{EncryptionPolicy, Rooms, RoomsOptions};
use ruma::{RoomVersionId, api::client::discovery::discover_support, owned_server_name};
use seal::{KeySource, Keyring, MasterKey};
use store::{Database, DatabaseOptions, Location, LogBuilder};
use sync::Sync;
use testkit::{clock::FakeClock, entropy::SeededEntropy};
use zeroize::Zeroizing;

/// A database, its master key and a clock.
pub(crate) struct Deployment {
    pub(crate) clock: FakeClock,
    pub(crate) registration: RegistrationMode,
    /// Which rooms are encrypted.
    pub(crate) encryption: EncryptionPolicy,
    /// To what people agree who register.
    pub(crate) policies: Vec<Policy>,
    /// Whether anybody may be a guest.
    pub(crate) guests: bool,
    pub(crate) shared_secret: Option<&'static str>,
    pub(crate) allow_unauthenticated_files: bool,
    pub(crate) turn: Option<TurnServers>,
    pub(crate) livekit_urls: Vec<String>,
    /// Whether there are previews, and of what.
    pub(crate) previews: Option<Policy>,
    pub(crate) support: Option<discover_support::Response>,
    pub(crate) location: Location,
    pub(crate) key: KeySource,
    directory: tempfile::TempDir,
    bus: Bus,
}

/// Counts nodes in this process, so that no two of them draw the same randomness.
static NODES: AtomicU64 = AtomicU64::new(1);

impl Deployment {
    /// Over a file in a directory of its own.
    pub(crate) fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let location = Location::Sqlite(directory.path().join("conclave.db"));
        Self::over(location, directory)
    }

    /// Over any database, with the master key in `directory`.
    pub(crate) fn over(location: Location, directory: tempfile::TempDir) -> Self {
        let key = KeySource::File(directory.path().join("master.key"));
        Self::with_key(location, key, directory)
    }

    /// Over any database, with a master key from elsewhere and files in `directory`.
    pub(crate) fn with_key(
        location: Location,
        key: KeySource,
        directory: tempfile::TempDir,
    ) -> Self {
        let seed = NODES.fetch_add(1, Ordering::Relaxed);
        Self {
            clock: FakeClock::default(),
            registration: RegistrationMode::Open,
            encryption: EncryptionPolicy::Off,
            policies: Vec::new(),
            guests: false,
            shared_secret: None,
            allow_unauthenticated_files: false,
            turn: None,
            livekit_urls: Vec::new(),
            previews: None,
            support: None,
            location,
            key,
            directory,
            bus: Bus::in_process(NodeId::generate(&SeededEntropy::new(seed))),
        }
    }

    /// Starts a node.
    ///
    /// Several at once need PostgreSQL; on SQLite the one before is stopped first.
    pub(crate) async fn node(&self) -> Owners {
        let seed = NODES.fetch_add(1, Ordering::Relaxed);
        let entropy = Arc::new(SeededEntropy::new(seed));
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        let master = MasterKey::unlock(&self.key, &self.location, &*entropy);
        let master = master.await.unwrap();
        let database = Database::open(DatabaseOptions {
            location: self.location.clone(),
            server_name: "localhost".to_owned(),
            migrations: vec![
                seal::MIGRATIONS,
                accounts::MIGRATIONS,
                rooms::MIGRATIONS,
                keys::MIGRATIONS,
                media::MIGRATIONS,
                reports::MIGRATIONS,
                sync::MIGRATIONS,
                audit::MIGRATIONS,
            ],
            readers: 4,
        });
        let database = database.await.unwrap();
        let keyring = Keyring::unlock(&database, master, entropy.clone(), Arc::clone(&clock));
        let keyring = keyring.await.unwrap();
        let options = RoomsOptions {
            server_name: owned_server_name!("localhost"),
            default_version: RoomVersionId::V12,
            encryption: self.encryption,
            on_invite: accounts::demand_invitable,
            on_delayed: accounts::demand_standing,
        };
        let rooms = Rooms::new(
            options,
            database.clone(),
            keyring.clone(),
            Arc::clone(&clock),
            entropy.clone(),
        );
        let changes = AccountChanges::new(keyring.clone());
        let trail = AuditTrail::new(keyring.clone(), entropy.clone());
        let builder = LogBuilder::new(database, clock).register(Arc::clone(&changes));
        let builder = rooms.register(builder);
        let builder = Media::register(Keys::register(builder, &keyring), &keyring);
        let reports = ReportChanges::new(keyring.clone());
        let builder = builder.register(Arc::new(reports));
        let builder = builder.register(Arc::new(trail));
        let log = builder.start().await.unwrap();
        let settings = Settings {
            server_name: owned_server_name!("localhost"),
            registration: self.registration,
            shared_secret: self
                .shared_secret
                .map(|secret| Zeroizing::new(secret.into())),
            access_token_lifetime: std::time::Duration::from_secs(300),
            limit_guesses: true,
            reserved_name: "notices".to_owned(),
            policies: self.policies.clone(),
            guests: self.guests,
            on_guest: rooms::note_guest,
        };
        let accounts = Accounts::new(
            log.clone(),
            changes,
            keyring.clone(),
            entropy.clone(),
            settings,
        );
        let keys = Keys::new(log.clone(), keyring.clone(), entropy.clone());
        let lifecycle = Lifecycle::new(log.clone(), accounts.clone(), keys.clone(), rooms.clone());
        let blobs = Blobs::in_folder(self.directory.path().join("files")).await;
        let blobs = blobs.unwrap();
        let limits = Limits {
            max_size_bytes: 1_000_000,
            max_per_user_bytes: 3_000_000,
        };
        let media = Media::new(log.clone(), keyring.clone(), blobs, entropy, limits);
        let previews = self.previews.map(|policy| {
            let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
            let outbound = Outbound::new(policy, Arc::clone(&clock), previews::USER_AGENT);
            Previews::new(
                outbound,
                media.clone(),
                clock,
                owned_server_name!("localhost"),
            )
        });
        let sync = Sync::start(
            log.clone(),
            accounts.clone(),
            rooms.clone(),
            keys.clone(),
            self.bus.beside(NodeId::generate(&SeededEntropy::new(seed))),
            true,
        );
        Owners {
            sync: sync.await.unwrap(),
            reports: Reports::new(log.clone(), keyring),
            directory: Directory::new(accounts.clone(), rooms.clone()),
            log,
            accounts,
            lifecycle,
            rooms,
            keys,
            media,
            previews,
        }
    }
}

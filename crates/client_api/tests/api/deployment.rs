//! A deployment of one or two nodes over a database of its own: everything below the face.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use accounts::{AccountChanges, Accounts, RegistrationMode, Settings, emails::EmailChanges};
use appservices::Appservices;
use audit::AuditTrail;
use blobs::Blobs;
use bridging::Bridging;
use bus::{Bus, NodeId};
use client_api::{Owners, TurnServers};
use keys::Keys;
use lifecycle::Lifecycle;
use mail::{Encryption, Line, Mailer, Options, Sender};
use media::{Limits, Media};
use model::{mail_address::MailAddress, time::Clock};
use outbound::Outbound;
use outbox::Outbox;
use parking_lot::Mutex;
use people::Directory;
use previews::Previews;
use push::{Gateways, Mailing, Push};
use pushers::{PusherChanges, Pushers};
use reports::{ReportChanges, Reports};
use rooms::{EncryptionPolicy, Rooms, RoomsOptions};
use ruma::{RoomVersionId, api::client::discovery::discover_support, owned_server_name};
use rustls::RootCertStore;
use seal::{KeySource, Keyring, MasterKey};
use search::Search;
use store::{Database, DatabaseOptions, Location, LogBuilder};
use sync::Sync;
use testkit::{clock::FakeClock, entropy::SeededEntropy};
use tokio::task::JoinHandle;
use zeroize::Zeroizing;

/// A database, its master key and a clock.
pub(crate) struct Deployment {
    pub(crate) clock: FakeClock,
    pub(crate) registration: RegistrationMode,
    /// Which rooms are encrypted.
    pub(crate) encryption: EncryptionPolicy,
    /// To what people agree who register.
    pub(crate) policies: Vec<accounts::Policy>,
    /// Whether anybody may be a guest.
    pub(crate) guests: bool,
    pub(crate) shared_secret: Option<&'static str>,
    /// Who else acts as users.
    pub(crate) appservices: Appservices,
    pub(crate) allow_unauthenticated_files: bool,
    pub(crate) turn: Option<TurnServers>,
    pub(crate) livekit_urls: Vec<String>,
    /// Whether there are previews, and of what.
    pub(crate) previews: Option<outbound::Policy>,
    pub(crate) support: Option<discover_support::Response>,
    /// Whether mail is sent, or would be: the tests read it before it goes.
    pub(crate) mail: bool,
    /// The port of the mail server that is given mails about what is unread.
    pub(crate) smtp: Option<u16>,
    pub(crate) location: Location,
    pub(crate) key: KeySource,
    /// Whether requests are limited.
    pub(crate) rate_limits: bool,
    /// Whether its nodes keep the index of what was said.
    pub(crate) keeps_index: bool,
    /// What keeps it, of each node in the order of their starts.
    pub(crate) indexing: Mutex<Vec<JoinHandle<()>>>,
    /// What tells services what concerns them, of each node in the order of their starts.
    pub(crate) bridging: Mutex<Vec<JoinHandle<()>>>,
    directory: tempfile::TempDir,
    bus: Bus,
    /// That of the last node that was started.
    pub(crate) outbox: Mutex<Option<Outbox>>,
}

/// What the ends of the bus for services draw their names from.
const EARS: u64 = 1 << 40;

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
            appservices: Appservices::default(),
            allow_unauthenticated_files: false,
            turn: None,
            livekit_urls: Vec::new(),
            previews: None,
            support: None,
            mail: false,
            smtp: None,
            location,
            key,
            rate_limits: false,
            keeps_index: false,
            indexing: Mutex::default(),
            bridging: Mutex::default(),
            directory,
            outbox: Mutex::default(),
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
                pushers::MIGRATIONS,
                push::MIGRATIONS,
                outbox::MIGRATIONS,
                bridging::MIGRATIONS,
                sync::MIGRATIONS,
                search::MIGRATIONS,
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
        let emails = EmailChanges::new(keyring.clone(), Arc::clone(&clock));
        let builder = LogBuilder::new(database, clock).register(Arc::clone(&changes));
        let builder = builder.register(emails);
        let builder = rooms.register(builder);
        let builder = Media::register(Keys::register(builder, &keyring), &keyring);
        let reports = ReportChanges::new(keyring.clone());
        let builder = builder.register(Arc::new(reports));
        let builder = builder.register(Arc::new(PusherChanges::new(keyring.clone())));
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
            mail: self.mail,
            reserved_name: "notices".to_owned(),
            policies: self.policies.clone(),
            guests: self.guests,
            on_guest: rooms::note_guest,
            appservices: self.appservices.clone(),
        };
        let accounts = Accounts::new(
            log.clone(),
            changes,
            keyring.clone(),
            entropy.clone(),
            settings,
        );
        accounts.make_senders().await.unwrap();
        let keys = Keys::new(log.clone(), keyring.clone(), entropy.clone());
        let pushers = Pushers::new(log.clone(), keyring.clone());
        let lifecycle = Lifecycle::new(
            log.clone(),
            accounts.clone(),
            keys.clone(),
            rooms.clone(),
            pushers.clone(),
        );
        let pushing_entropy = entropy.clone();
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
        let private = outbound::Policy {
            allow_private_addresses: true,
            allow_any_port: true,
        };
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        let bridges = Outbound::new(private, Arc::clone(&clock), bridging::USER_AGENT);
        let gateways = Gateways::new(Outbound::new(private, clock, push::USER_AGENT), true);
        let outbox = Outbox::new(log.clone(), pushing_entropy);
        *self.outbox.lock() = Some(outbox.clone());
        let push = Push::new(
            log.clone(),
            accounts.clone(),
            rooms.clone(),
            pushers.clone(),
            outbox,
            (gateways.clone(), self.mailing()),
        );
        tokio::spawn(async move { push.run().await });
        let bridging = Bridging::new(
            log.clone(),
            accounts.clone(),
            rooms.clone(),
            keys.clone(),
            self.outbox.lock().clone().unwrap(),
            bridges,
        );
        self.bridge(bridging.clone(), seed);
        let sync = Sync::start(
            log.clone(),
            accounts.clone(),
            rooms.clone(),
            keys.clone(),
            self.bus.beside(NodeId::generate(&SeededEntropy::new(seed))),
            true,
        );
        let search = Search::new(
            log.clone(),
            keyring.clone(),
            accounts.clone(),
            rooms.clone(),
        );
        if self.keeps_index {
            self.keep_index(search.clone());
        }
        Owners {
            sync: sync.await.unwrap(),
            bridging,
            reports: Reports::new(log.clone(), keyring),
            directory: Directory::new(accounts.clone(), rooms.clone()),
            search,
            log,
            accounts,
            lifecycle,
            rooms,
            keys,
            media,
            previews,
            pushers,
            gateways,
        }
    }

    /// How people are written to.
    fn mailing(&self) -> Option<Mailing> {
        let mailer = self.mailer(self.smtp?);
        let url = "https://chat.example.org";
        Some(Mailing::new(mailer, owned_server_name!("localhost"), url))
    }

    /// What hands mails to a mail server on this port, without encryption.
    pub(crate) fn mailer(&self, port: u16) -> Mailer {
        let options = Options {
            host: "127.0.0.1".to_owned(),
            port,
            encryption: Encryption::None,
            credentials: None,
            sender: Sender {
                address: MailAddress::parse("chat@example.org").unwrap(),
                name: Line::new("localhost"),
                reply_to: None,
            },
            hello: "localhost".to_owned(),
            roots: RootCertStore::empty(),
        };
        Mailer::new(options, Arc::new(self.clock.clone())).unwrap()
    }

    /// Tells services what concerns them, from now on.
    fn bridge(&self, bridging: Bridging, seed: u64) {
        let ear = NodeId::generate(&SeededEntropy::new(seed + EARS));
        let ear = bridging.needs_bus().then(|| self.bus.beside(ear));
        let running = tokio::spawn(async move { bridging.run(ear).await });
        let mut bridging = self.bridging.lock();
        if matches!(self.location, Location::Sqlite(_)) {
            // The node before this one has stopped.
            bridging.iter().for_each(JoinHandle::abort);
        }
        bridging.push(running);
    }

    fn keep_index(&self, search: Search) {
        let mut indexing = self.indexing.lock();
        if matches!(self.location, Location::Sqlite(_)) {
            // The node before this one has stopped.
            indexing.iter().for_each(JoinHandle::abort);
        }
        indexing.push(tokio::spawn(async move { search.keep_index().await }));
    }
}

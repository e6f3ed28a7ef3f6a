//! A deployment of one or two nodes over a database of its own.

use std::sync::Arc;

use accounts::{
    AccountChanges, Accounts, By, Policy, RegistrationMode, Settings, emails::EmailChanges,
};
use audit::{Act, AuditTrail, Origin};
use model::time::Clock;
use ruma::owned_server_name;
use seal::{KeySource, Keyring, MasterKey};
use store::{Database, DatabaseOptions, Location, Log, LogBuilder};
use testkit::{clock::FakeClock, entropy::SeededEntropy, postgres::TestDatabase};
use zeroize::Zeroizing;

/// Runs each test on both engines.
macro_rules! on_both_engines {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $test() {
                super::$test(crate::deployment::Deployment::sqlite()).await;
            })*
        }
        mod postgres {
            $(#[tokio::test]
            async fn $test() {
                super::$test(crate::deployment::Deployment::postgres().await).await;
            })*
        }
    };
}

/// Runs each test with two nodes, which only PostgreSQL allows.
macro_rules! on_two_nodes {
    ($($test:ident),* $(,)?) => {
        mod races {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(crate::deployment::Deployment::postgres().await).await;
            })*
        }
    };
}

pub(crate) use on_both_engines;
pub(crate) use on_two_nodes;

/// A database, its master key and a clock.
pub(crate) struct Deployment {
    pub(crate) clock: FakeClock,
    pub(crate) registration: RegistrationMode,
    pub(crate) shared_secret: Option<&'static str>,
    pub(crate) policies: Vec<Policy>,
    location: Location,
    directory: tempfile::TempDir,
    nodes: std::sync::atomic::AtomicU64,
    _database: Option<TestDatabase>,
}

/// One node of it.
pub(crate) struct Node {
    pub(crate) accounts: Accounts,
    pub(crate) log: Log,
    pub(crate) keyring: Keyring,
}

impl Deployment {
    pub(crate) fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let location = Location::Sqlite(directory.path().join("conclave.db"));
        Self::over(location, directory, None)
    }

    pub(crate) async fn postgres() -> Self {
        let database = testkit::postgres::database().await;
        let location = Location::Postgres(database.url.clone());
        Self::over(location, tempfile::tempdir().unwrap(), Some(database))
    }

    fn over(
        location: Location,
        directory: tempfile::TempDir,
        database: Option<TestDatabase>,
    ) -> Self {
        Self {
            clock: FakeClock::default(),
            registration: RegistrationMode::Open,
            shared_secret: None,
            policies: Vec::new(),
            location,
            directory,
            nodes: 1.into(),
            _database: database,
        }
    }

    pub(crate) async fn node(&self) -> Node {
        let seed = self
            .nodes
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let entropy = Arc::new(SeededEntropy::new(seed));
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        let source = KeySource::File(self.directory.path().join("master.key"));
        let master = MasterKey::unlock(&source, &self.location, &*entropy);
        let master = master.await.unwrap();
        let options = DatabaseOptions {
            location: self.location.clone(),
            server_name: "example.org".to_owned(),
            migrations: vec![seal::MIGRATIONS, audit::MIGRATIONS, accounts::MIGRATIONS],
            readers: 4,
        };
        let database = Database::open(options).await.unwrap();
        let keyring = Keyring::unlock(&database, master, entropy.clone(), Arc::clone(&clock));
        let keyring = keyring.await.unwrap();
        let changes = AccountChanges::new(keyring.clone());
        let trail = Arc::new(AuditTrail::new(keyring.clone(), entropy.clone()));
        let emails = EmailChanges::new(keyring.clone(), Arc::clone(&clock));
        let log = LogBuilder::new(database, clock)
            .register(Arc::clone(&changes))
            .register(emails)
            .register(trail)
            .start()
            .await
            .unwrap();
        let settings = Settings {
            server_name: owned_server_name!("example.org"),
            registration: self.registration,
            shared_secret: self
                .shared_secret
                .map(|secret| Zeroizing::new(secret.into())),
            access_token_lifetime: std::time::Duration::from_secs(300),
            limit_guesses: true,
            mail: true,
            reserved_name: "notices".to_owned(),
            policies: self.policies.clone(),
            guests: true,
            on_guest: |_, _, _| {},
            appservices: Default::default(),
        };
        let accounts = Accounts::new(log.clone(), changes, keyring.clone(), entropy, settings);
        Node {
            accounts,
            log,
            keyring,
        }
    }
}

/// The password of everybody here.
pub(crate) const PASSWORD: &str = "correct horse";

pub(crate) fn password() -> Zeroizing<String> {
    Zeroizing::new(PASSWORD.to_owned())
}

/// Somebody at one address.
pub(crate) fn somebody() -> By {
    By::anonymous(Origin {
        address: "192.0.2.1".parse().ok(),
        user_agent: Some("test".to_owned()),
    })
}

impl Node {
    /// The acts that were recorded, newest first.
    pub(crate) async fn acts(&self) -> Vec<Act> {
        let snapshot = self.log.database().snapshot().await.unwrap();
        let page = audit::Page {
            before: None,
            limit: 500,
        };
        let entries = audit::list(&snapshot, &self.keyring, page).await.unwrap();
        let acts = entries.iter().filter_map(|entry| match &entry.content {
            audit::Content::Recorded(record) => Some(record.act()),
            _ => None,
        });
        acts.collect()
    }

    /// Makes an account with the password of everybody, and a session on a device `PHONE`.
    pub(crate) async fn join(&self, localpart: &str) -> (accounts::Session, accounts::SignedIn) {
        let new = accounts::NewAccount {
            localpart: Some(localpart.to_owned()),
            password: Some(password()),
            device: Some(accounts::NewDevice {
                device_id: Some("PHONE".into()),
                ..Default::default()
            }),
            ..Default::default()
        };
        let grant = accounts::Grant::Administrator;
        let registered = self.accounts.register(new, grant, By::command_line()).await;
        let signed_in = registered.unwrap().signed_in.unwrap();
        let session = self.accounts.authenticate(&signed_in.access_token).await;
        (session.unwrap(), signed_in)
    }
}

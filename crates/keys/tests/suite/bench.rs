//! A database with one node on it, or two.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use keys::Keys;
use seal::{KeySource, Keyring, MasterKey};
use store::{Database, DatabaseOptions, Location, Log, LogBuilder, Snapshot};
use testkit::{clock::FakeClock, entropy::SeededEntropy, postgres::TestDatabase};

/// What one test runs on.
pub(crate) struct Bench {
    pub(crate) node: Node,
    location: Location,
    /// Removed when the test ends.
    _place: Place,
}

#[expect(dead_code, reason = "held until the test ends")]
enum Place {
    Folder(tempfile::TempDir),
    Database(TestDatabase),
}

/// A node of the deployment.
pub(crate) struct Node {
    pub(crate) keys: Keys,
    pub(crate) log: Log,
    pub(crate) database: Database,
    pub(crate) clock: FakeClock,
}

impl Bench {
    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::Sqlite(folder.path().join("conclave.db"));
        Self::on(location, Place::Folder(folder)).await
    }

    pub(crate) async fn postgres() -> Self {
        let database = testkit::postgres::database().await;
        let location = Location::Postgres(database.url.clone());
        Self::on(location, Place::Database(database)).await
    }

    async fn on(location: Location, place: Place) -> Self {
        Self {
            node: Node::start(&location, 1).await,
            location,
            _place: place,
        }
    }

    /// Starts another node on the same database; PostgreSQL only.
    pub(crate) async fn another_node(&self) -> Node {
        Node::start(&self.location, 2).await
    }

    /// Stops the node and starts it again.
    pub(crate) async fn restarted(self) -> Self {
        self.node.log.stop().await;
        drop(self.node);
        Self {
            node: Node::start(&self.location, 3).await,
            location: self.location,
            _place: self._place,
        }
    }
}

impl Node {
    async fn start(location: &Location, seed: u64) -> Self {
        let database = Database::open(DatabaseOptions {
            location: location.clone(),
            server_name: "example.org".to_owned(),
            migrations: vec![seal::MIGRATIONS, keys::MIGRATIONS],
            readers: 4,
        })
        .await
        .unwrap();
        let clock = FakeClock::default();
        let entropy = Arc::new(SeededEntropy::new(seed));
        let source = KeySource::Text(STANDARD.encode([7; 32]).into());
        let master = MasterKey::unlock(&source, location, &*entropy)
            .await
            .unwrap();
        let keyring = Keyring::unlock(&database, master, entropy.clone(), Arc::new(clock.clone()));
        let keyring = keyring.await.unwrap();
        let builder = LogBuilder::new(database.clone(), Arc::new(clock.clone()));
        let log = Keys::register(builder, &keyring).start().await.unwrap();
        Self {
            keys: Keys::new(log.clone(), keyring, entropy),
            log,
            database,
            clock,
        }
    }

    pub(crate) async fn snapshot(&self) -> Snapshot {
        self.database.snapshot().await.unwrap()
    }

    /// The integer of a user that has been named.
    pub(crate) async fn id_of(&self, user: &ruma::UserId) -> i64 {
        let snapshot = self.snapshot().await;
        let names = self.database.names();
        names.user(&snapshot, user.as_str()).await.unwrap().unwrap()
    }
}

//! The keyring over both engines: what opens, what does not, and what a lost batch leaves.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use model::time::{Clock, Timestamp};
use seal::{KeySource, Keyring, MasterKey, Month, Place, Scope};
use store::{
    Applier, CheckContext, Database, DatabaseOptions, Intent, Location, Log, LogBuilder, Migration,
    Migrations, StoreError, Tx, Verdict, Writes,
};
use testkit::{clock::FakeClock, entropy::SeededEntropy};

const PLACE: Place<'_> = Place {
    table: "values",
    column: "sealed",
    id: "1",
};

const MIGRATIONS: Migrations = Migrations {
    owner: "values",
    steps: &[Migration {
        number: 1,
        name: "values",
        sql: "CREATE TABLE sealed_values (id BIGINT NOT NULL PRIMARY KEY, sealed BYTEA NOT NULL)",
    }],
};

struct Bench {
    location: Location,
    key_file: PathBuf,
    clock: FakeClock,
    _folder: tempfile::TempDir,
    _database: Option<testkit::postgres::TestDatabase>,
}

impl Bench {
    async fn new(engine: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (location, database) = match engine {
            "sqlite" => (Location::Sqlite(folder.path().join("test.db")), None),
            _ => {
                let database = testkit::postgres::database().await;
                (Location::Postgres(database.url.clone()), Some(database))
            }
        };
        Self {
            location,
            key_file: folder.path().join("master.key"),
            clock: FakeClock::at(Timestamp::from_millis(1_700_000_000_000)),
            _folder: folder,
            _database: database,
        }
    }

    async fn master(&self) -> Result<MasterKey, seal::SealError> {
        let source = KeySource::File(self.key_file.clone());
        MasterKey::unlock(&source, &self.location, &SeededEntropy::new(rand_seed())).await
    }

    async fn open(&self) -> (Database, Keyring) {
        let master = self.master().await.unwrap();
        let database = Database::open(DatabaseOptions {
            location: self.location.clone(),
            server_name: "localhost".to_owned(),
            migrations: vec![seal::MIGRATIONS, MIGRATIONS],
            readers: 2,
        })
        .await
        .unwrap();
        let entropy = Arc::new(SeededEntropy::new(rand_seed()));
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        let keyring = Keyring::unlock(&database, master, entropy, clock)
            .await
            .unwrap();
        (database, keyring)
    }

    async fn log(&self) -> (Log, Keyring) {
        let (database, keyring) = self.open().await;
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        let applier = Arc::new(Values {
            keyring: keyring.clone(),
        });
        let log = LogBuilder::new(database, clock)
            .register(applier)
            .start()
            .await
            .unwrap();
        (log, keyring)
    }
}

/// Different for every call: two nodes never draw the same bytes.
fn rand_seed() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Seals one value in a scope; a negative id makes the batch's statement fail.
struct Values {
    keyring: Keyring,
}

struct Value {
    id: i64,
    scope: Scope,
    plain: &'static str,
}

#[async_trait]
impl Applier for Values {
    type Change = Value;
    type Outcome = Vec<u8>;
    type Refusal = ();
    type Work = (seal::KeySet, Vec<(i64, Vec<u8>)>);
    const KIND: &'static str = "values";

    async fn prepare(&self, tx: &Tx, changes: &[&Value]) -> Result<Self::Work, StoreError> {
        let keys = self
            .keyring
            .keys_in(tx, changes.iter().map(|value| value.scope))
            .await?;
        Ok((keys, Vec::new()))
    }

    fn check(
        &self,
        work: &mut Self::Work,
        value: &Value,
        _: &mut CheckContext<'_>,
    ) -> Result<Verdict<Vec<u8>>, ()> {
        let sealed = work
            .0
            .seal(value.scope, PLACE, value.plain.as_bytes())
            .map_err(drop)?;
        work.1.push((value.id, sealed.clone()));
        Ok(Verdict::Apply(sealed))
    }

    fn settle(&self, _: &mut Self::Work, _: bool) {}

    fn write(&self, work: &mut Self::Work, writes: &mut Writes) -> Result<(), StoreError> {
        for (id, sealed) in &work.1 {
            if *id < 0 {
                writes.execute("INSERT INTO no_such_table VALUES (1)", Vec::new());
            }
            let params = vec![(*id).into(), sealed.as_slice().into()];
            let sql = "INSERT INTO sealed_values (id, sealed) VALUES ($1, $2)";
            writes.execute(sql, params);
        }
        Ok(())
    }
}

async fn seal_one(log: &Log, id: i64, scope: Scope, plain: &'static str) -> Option<Vec<u8>> {
    let mut intent = Intent::new();
    let ticket = intent.add::<Values>(Value { id, scope, plain });
    log.commit(intent).await.ok()?.take(ticket)
}

async fn values_open_after_a_restart_and_only_where_they_stand(engine: &str) {
    let bench = Bench::new(engine).await;
    let scope = Scope::Room {
        room: 7,
        month: Month::of(bench.clock.now()),
    };
    let (log, _) = bench.log().await;
    let sealed = seal_one(&log, 1, scope, "a marker nobody may find")
        .await
        .unwrap();
    assert!(!String::from_utf8_lossy(&sealed).contains("marker"));
    log.stop().await;
    drop(log);
    let (database, keyring) = bench.open().await;
    let snapshot = database.snapshot().await.unwrap();
    let opened = keyring.open(&snapshot, PLACE, &sealed).await.unwrap();
    assert_eq!(opened, b"a marker nobody may find");
    let elsewhere = Place { id: "2", ..PLACE };
    assert!(keyring.open(&snapshot, elsewhere, &sealed).await.is_err());
    for index in 0..sealed.len() {
        let mut altered = sealed.clone();
        altered[index] ^= 1;
        assert!(
            keyring.open(&snapshot, PLACE, &altered).await.is_err(),
            "byte {index}"
        );
    }
    assert!(keyring.open(&snapshot, PLACE, &sealed[..20]).await.is_err());
}

async fn a_missing_or_wrong_master_key_is_refused_before_the_database_is_opened(engine: &str) {
    let bench = Bench::new(engine).await;
    let (database, _) = bench.open().await;
    drop(database);
    let right = std::fs::read(&bench.key_file).unwrap();
    std::fs::remove_file(&bench.key_file).unwrap();
    let missing = bench.master().await.err().unwrap().to_string();
    assert!(missing.contains("is missing"), "{missing}");
    assert!(
        !bench.key_file.exists(),
        "a new key must not hide that the old one is lost"
    );
    let other = Bench::new("sqlite").await;
    drop(other.open().await);
    std::fs::copy(&other.key_file, &bench.key_file).unwrap();
    let wrong = bench.master().await.err().unwrap().to_string();
    assert!(wrong.contains("is not the master key"), "{wrong}");
    std::fs::write(&bench.key_file, right).unwrap();
    assert!(bench.master().await.is_ok());
}

async fn a_key_made_in_a_lost_batch_is_never_used_again(engine: &str) {
    let bench = Bench::new(engine).await;
    let (log, _) = bench.log().await;
    let scope = Scope::User(5);
    assert_eq!(seal_one(&log, -1, scope, "lost").await, None);
    let sealed = seal_one(&log, 1, scope, "kept").await.unwrap();
    log.stop().await;
    let (database, keyring) = bench.open().await;
    let snapshot = database.snapshot().await.unwrap();
    assert_eq!(
        keyring.open(&snapshot, PLACE, &sealed).await.unwrap(),
        b"kept"
    );
}

async fn an_old_key_is_replaced_and_still_opens(engine: &str) {
    let bench = Bench::new(engine).await;
    let (log, keyring) = bench.log().await;
    let first = seal_one(&log, 1, Scope::Deployment, "first").await.unwrap();
    bench
        .clock
        .advance(std::time::Duration::from_secs(33 * 86_400));
    let second = seal_one(&log, 2, Scope::Deployment, "second")
        .await
        .unwrap();
    assert_ne!(first[1..9], second[1..9], "both name the same key");
    let snapshot = log.database().snapshot().await.unwrap();
    assert_eq!(
        keyring.open(&snapshot, PLACE, &first).await.unwrap(),
        b"first"
    );
    assert_eq!(
        keyring.open(&snapshot, PLACE, &second).await.unwrap(),
        b"second"
    );
}

async fn blind_hashes_are_stable_and_differ_by_purpose(engine: &str) {
    let bench = Bench::new(engine).await;
    let (database, keyring) = bench.open().await;
    let hash = keyring.blind("one", b"value");
    assert_ne!(hash, keyring.blind("two", b"value"));
    drop((database, keyring));
    let (_, keyring) = bench.open().await;
    assert_eq!(hash, keyring.blind("one", b"value"));
}

mod sqlite {
    #[tokio::test]
    async fn values_open_after_a_restart_and_only_where_they_stand() {
        super::values_open_after_a_restart_and_only_where_they_stand("sqlite").await;
    }
    #[tokio::test]
    async fn a_missing_or_wrong_master_key_is_refused_before_the_database_is_opened() {
        super::a_missing_or_wrong_master_key_is_refused_before_the_database_is_opened("sqlite")
            .await;
    }
    #[tokio::test]
    async fn a_key_made_in_a_lost_batch_is_never_used_again() {
        super::a_key_made_in_a_lost_batch_is_never_used_again("sqlite").await;
    }
    #[tokio::test]
    async fn an_old_key_is_replaced_and_still_opens() {
        super::an_old_key_is_replaced_and_still_opens("sqlite").await;
    }
    #[tokio::test]
    async fn blind_hashes_are_stable_and_differ_by_purpose() {
        super::blind_hashes_are_stable_and_differ_by_purpose("sqlite").await;
    }
    #[tokio::test]
    async fn a_key_file_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let bench = super::Bench::new("sqlite").await;
        drop(bench.open().await);
        let mode = std::fs::metadata(&bench.key_file)
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        let open = std::fs::Permissions::from_mode(0o640);
        std::fs::set_permissions(&bench.key_file, open).unwrap();
        let refused = bench.master().await.err().unwrap().to_string();
        assert!(refused.contains("can be read by others"), "{refused}");
    }
}

mod postgres {
    #[tokio::test]
    async fn values_open_after_a_restart_and_only_where_they_stand() {
        super::values_open_after_a_restart_and_only_where_they_stand("postgres").await;
    }
    #[tokio::test]
    async fn a_missing_or_wrong_master_key_is_refused_before_the_database_is_opened() {
        super::a_missing_or_wrong_master_key_is_refused_before_the_database_is_opened("postgres")
            .await;
    }
    #[tokio::test]
    async fn a_key_made_in_a_lost_batch_is_never_used_again() {
        super::a_key_made_in_a_lost_batch_is_never_used_again("postgres").await;
    }
    #[tokio::test]
    async fn an_old_key_is_replaced_and_still_opens() {
        super::an_old_key_is_replaced_and_still_opens("postgres").await;
    }
    #[tokio::test]
    async fn blind_hashes_are_stable_and_differ_by_purpose() {
        super::blind_hashes_are_stable_and_differ_by_purpose("postgres").await;
    }
    #[tokio::test]
    async fn two_nodes_that_start_at_once_agree_on_the_first_keys() {
        let bench = super::Bench::new("postgres").await;
        drop(bench.master().await);
        let (one, other) = tokio::join!(bench.open(), bench.open());
        assert_eq!(one.1.blind("p", b"v"), other.1.blind("p", b"v"));
    }
}

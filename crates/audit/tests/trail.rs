//! The record over a real log, on both engines: what verifies, and what is found out.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use audit::{
    Act, Actor, AuditTrail, Broken, Checkpoint, Content, Origin, Page, Record, Target, Verified,
    VerifyError, Wrong, list, verify,
};
use seal::{KeySource, Keyring, MasterKey};
use store::{Database, DatabaseOptions, Intent, LocalWrite, Location, Log, LogBuilder};
use testkit::{clock::FakeClock, entropy::SeededEntropy, postgres::TestDatabase};

/// One test's database; it is removed when this is dropped.
struct Db {
    location: Location,
    keys: tempfile::TempDir,
    _postgres: Option<TestDatabase>,
}

/// A node over it.
struct Node {
    database: Database,
    keyring: Keyring,
    log: Log,
}

impl Db {
    fn sqlite() -> Self {
        let keys = tempfile::tempdir().unwrap();
        Self {
            location: Location::Sqlite(keys.path().join("conclave.db")),
            keys,
            _postgres: None,
        }
    }

    async fn postgres() -> Self {
        let postgres = testkit::postgres::database().await;
        Self {
            location: Location::Postgres(postgres.url.clone()),
            keys: tempfile::tempdir().unwrap(),
            _postgres: Some(postgres),
        }
    }

    /// Nodes differ in their randomness: their salts and keys must not meet.
    async fn node(&self, seed: u64) -> Node {
        let clock = Arc::new(FakeClock::default());
        let entropy = Arc::new(SeededEntropy::new(seed));
        let source = KeySource::File(self.keys.path().join("master.key"));
        let master = MasterKey::unlock(&source, &self.location, &*entropy)
            .await
            .unwrap();
        let database = Database::open(DatabaseOptions {
            location: self.location.clone(),
            server_name: "example.org".to_owned(),
            migrations: vec![seal::MIGRATIONS, audit::MIGRATIONS],
            readers: 2,
        })
        .await
        .unwrap();
        let keyring = Keyring::unlock(&database, master, entropy.clone(), clock.clone())
            .await
            .unwrap();
        let trail = Arc::new(AuditTrail::new(keyring.clone(), entropy));
        let log = LogBuilder::new(database.clone(), clock)
            .register(trail)
            .start()
            .await
            .unwrap();
        Node {
            database,
            keyring,
            log,
        }
    }
}

impl Node {
    async fn record(&self, name: &str) -> i64 {
        let mut intent = Intent::new();
        let ticket = intent.add::<AuditTrail>(signed_in(name));
        let mut committed = self.log.commit(intent).await.unwrap();
        committed.take(ticket).unwrap()
    }

    async fn record_ten(&self) {
        for index in 1..=10 {
            assert_eq!(self.record(&format!("@u{index}:example.org")).await, index);
        }
    }

    /// Does what somebody with the database's password can do.
    async fn tamper(&self, sql: &'static str) {
        self.log
            .write_local(LocalWrite::new().and(sql, vec![]))
            .await
            .unwrap();
    }

    async fn verify(&self, expected: Option<Checkpoint>) -> Result<Verified, Broken> {
        match verify(&self.database, &self.keyring, expected).await {
            Ok(verified) => Ok(verified),
            Err(VerifyError::Broken(broken)) => Err(broken),
            Err(VerifyError::Store(error)) => panic!("{error}"),
        }
    }

    /// What is found after tampering with a record of ten.
    async fn found_after(&self, sql: &'static str) -> Broken {
        self.record_ten().await;
        assert_eq!(self.verify(None).await.unwrap().records, 10);
        self.tamper(sql).await;
        self.verify(None).await.unwrap_err()
    }
}

fn signed_in(user_id: &str) -> Record {
    let actor = Actor::User {
        user_id: user_id.to_owned(),
        session: Some("PHONE".to_owned()),
    };
    Record::new(Act::SignedIn, actor)
        .from(Origin {
            address: "192.0.2.7".parse().ok(),
            user_agent: Some("Client/1".to_owned()),
        })
        .on(Target::user(user_id))
        .with("device", "PHONE")
}

fn broken(seq: i64, wrong: Wrong) -> Broken {
    Broken { seq, wrong }
}

/// Runs each test body on both engines.
macro_rules! conformance {
    ($($(#[$meta:meta])* async fn $name:ident($db:ident: Db) $body:block)*) => {
        $(
            mod $name {
                use super::*;

                $(#[$meta])*
                async fn body($db: Db) $body

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn sqlite() {
                    body(Db::sqlite()).await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn postgres() {
                    body(Db::postgres().await).await;
                }
            }
        )*
    };
}

conformance! {
    async fn an_untouched_trail_verifies_and_lists_newest_first(db: Db) {
        let node = db.node(1).await;
        assert_eq!(node.verify(None).await.unwrap().head, Checkpoint::START);
        node.record_ten().await;
        let verified = node.verify(None).await.unwrap();
        assert_eq!((verified.records, verified.erased, verified.head.seq), (10, 0, 10));

        let snapshot = node.database.snapshot().await.unwrap();
        let page = Page { before: None, limit: 3 };
        let newest = list(&snapshot, &node.keyring, page).await.unwrap();
        assert_eq!(newest.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [10, 9, 8]);
        assert_eq!(newest[0].pos, snapshot.head());
        let content = Content::Recorded(Box::new(signed_in("@u10:example.org")));
        assert_eq!(newest[0].content, content);
        let page = Page { before: Some(3), limit: 500 };
        let oldest = list(&snapshot, &node.keyring, page).await.unwrap();
        assert_eq!(oldest.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [2, 1]);
    }

    async fn the_chain_goes_on_after_a_restart(db: Db) {
        let before = db.node(1).await;
        before.record_ten().await;
        before.log.stop().await;
        let after = db.node(2).await;
        assert_eq!(after.record("@later:example.org").await, 11);
        assert_eq!(after.verify(None).await.unwrap().records, 11);
    }

    async fn records_of_one_batch_and_of_one_intent_are_linked_in_order(db: Db) {
        let node = db.node(1).await;
        let committing = (0..40).map(|_| {
            let mut intent = Intent::new();
            intent.add::<AuditTrail>(signed_in("@a:example.org"));
            intent.add::<AuditTrail>(signed_in("@b:example.org"));
            let log = node.log.clone();
            tokio::spawn(async move { log.commit(intent).await.map(drop) })
        });
        for committed in committing.collect::<Vec<_>>() {
            committed.await.unwrap().unwrap();
        }
        assert_eq!(node.verify(None).await.unwrap().records, 80);
    }

    async fn more_records_than_a_page_verify(db: Db) {
        let node = db.node(1).await;
        for _ in 0..6 {
            let mut intent = Intent::new();
            for _ in 0..100 {
                intent.add::<AuditTrail>(signed_in("@a:example.org"));
            }
            node.log.commit(intent).await.unwrap();
        }
        assert_eq!(node.verify(None).await.unwrap().records, 600);
        node.tamper("UPDATE audit_records SET at = at + 1 WHERE seq = 513").await;
        assert_eq!(node.verify(None).await, Err(broken(513, Wrong::Altered)));
    }

    async fn an_altered_time_is_found(db: Db) {
        let node = db.node(1).await;
        let found = node.found_after("UPDATE audit_records SET at = at - 60000 WHERE seq = 4").await;
        assert_eq!(found, broken(4, Wrong::Altered));
    }

    async fn an_altered_link_is_found(db: Db) {
        let node = db.node(1).await;
        let sql = "UPDATE audit_records SET link = commitment WHERE seq = 10";
        assert_eq!(node.found_after(sql).await, broken(10, Wrong::Altered));
    }

    async fn another_content_is_found(db: Db) {
        let node = db.node(1).await;
        let sql = "UPDATE audit_records SET sealed = (SELECT sealed FROM audit_records \
                   WHERE seq = 8) WHERE seq = 3";
        assert_eq!(node.found_after(sql).await, broken(3, Wrong::ContentAltered));
    }

    async fn an_altered_position_is_found(db: Db) {
        let node = db.node(1).await;
        let sql = "UPDATE audit_records SET pos = 1 WHERE seq = 5";
        assert_eq!(node.found_after(sql).await, broken(5, Wrong::PositionAltered));
    }

    async fn a_missing_record_is_found(db: Db) {
        let node = db.node(1).await;
        let found = node.found_after("DELETE FROM audit_records WHERE seq = 6").await;
        assert_eq!(found, broken(6, Wrong::Missing));
    }

    async fn a_missing_first_record_is_found(db: Db) {
        let node = db.node(1).await;
        let found = node.found_after("DELETE FROM audit_records WHERE seq = 1").await;
        assert_eq!(found, broken(1, Wrong::Missing));
    }

    async fn swapped_records_are_found_and_where_they_went(db: Db) {
        let node = db.node(1).await;
        let sql = "UPDATE audit_records SET pos = o.pos, at = o.at, sealed = o.sealed, \
                   commitment = o.commitment, link = o.link FROM audit_records o \
                   WHERE o.seq = 9 - audit_records.seq AND audit_records.seq IN (2, 7)";
        assert_eq!(node.found_after(sql).await, broken(2, Wrong::Moved { stands_at: 7 }));
    }

    async fn a_record_put_under_another_number_is_found(db: Db) {
        let node = db.node(1).await;
        let found = node.found_after("UPDATE audit_records SET seq = 40 WHERE seq = 2").await;
        assert_eq!(found, broken(2, Wrong::Moved { stands_at: 40 }));
    }

    async fn a_record_put_before_the_first_is_found(db: Db) {
        let node = db.node(1).await;
        let sql = "INSERT INTO audit_records SELECT 0, 0, at, sealed, commitment, link \
                   FROM audit_records WHERE seq = 1";
        assert_eq!(node.found_after(sql).await, broken(0, Wrong::Inserted));
    }

    async fn a_cut_off_tail_is_found_with_a_checkpoint(db: Db) {
        let node = db.node(1).await;
        node.record_ten().await;
        let expected = node.verify(None).await.unwrap().head;
        node.tamper("DELETE FROM audit_records WHERE seq > 7").await;
        assert_eq!(node.verify(None).await.unwrap().records, 7);
        assert_eq!(node.verify(Some(expected)).await, Err(broken(8, Wrong::CutOff)));
        // Growing again does not hide it.
        for _ in 0..5 {
            node.record("@c:example.org").await;
        }
        assert_eq!(node.verify(None).await.unwrap().records, 12);
        assert_eq!(node.verify(Some(expected)).await, Err(broken(10, Wrong::Rewritten)));
    }

    async fn a_trail_that_grew_still_fits_its_checkpoint(db: Db) {
        let node = db.node(1).await;
        node.record_ten().await;
        let expected = node.verify(None).await.unwrap().head;
        node.record("@c:example.org").await;
        assert_eq!(node.verify(Some(expected)).await.unwrap().records, 11);
    }

    async fn an_erased_record_still_verifies_and_is_counted(db: Db) {
        let node = db.node(1).await;
        node.record_ten().await;
        node.tamper("UPDATE audit_records SET sealed = NULL WHERE seq IN (4, 5)").await;
        let verified = node.verify(None).await.unwrap();
        assert_eq!((verified.records, verified.erased), (10, 2));
        let snapshot = node.database.snapshot().await.unwrap();
        let page = Page { before: Some(5), limit: 1 };
        let erased = list(&snapshot, &node.keyring, page).await.unwrap();
        assert_eq!(erased[0].content, Content::Erased);
    }

    async fn nothing_of_a_record_stands_in_clear(db: Db) {
        let node = db.node(1).await;
        node.record("@marker:example.org").await;
        let rows = node
            .database
            .query("SELECT sealed, commitment, link FROM audit_records", &[])
            .await
            .unwrap();
        for index in 0..3 {
            let bytes = rows[0].bytes(index).unwrap();
            assert!(!bytes.windows(6).any(|window| window == b"marker"));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_keep_one_chain() {
    let db = Db::postgres().await;
    let nodes = [db.node(1).await, db.node(2).await];
    let mut writing = tokio::task::JoinSet::new();
    for index in 0..200 {
        let log = nodes[index % 2].log.clone();
        writing.spawn(async move {
            let mut intent = Intent::new();
            let ticket = intent.add::<AuditTrail>(signed_in("@a:example.org"));
            let mut committed = log.commit(intent).await.unwrap();
            committed.take(ticket).unwrap()
        });
    }
    let mut seqs = writing.join_all().await;
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=200).collect::<Vec<_>>());
    let verified = nodes[0].verify(None).await.unwrap();
    assert_eq!(verified.records, 200);
    assert_eq!(nodes[1].verify(Some(verified.head)).await, Ok(verified));
}

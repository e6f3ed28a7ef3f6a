//! Looking at a database: what is found, and that nothing is changed by it.

use std::{collections::BTreeSet, time::Duration};

use store::{
    Deployment, Examination, FileForm, HostFound, HostState, LocalWrite, Location, StoreError,
    quick_check,
};
use testkit::clock::FakeClock;

use crate::support::{Db, cells::Act};

async fn open(db: &Db) -> Examination {
    Examination::open(&db.options()).await.unwrap().unwrap()
}

/// The names of the files beside an embedded database, its own too.
fn files(db: &Db) -> BTreeSet<String> {
    let Location::Sqlite(path) = &db.location else {
        return BTreeSet::new();
    };
    let entries = std::fs::read_dir(path.parent().unwrap()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

conformance! {
    async fn nothing_is_made_where_nothing_is(db: Db) {
        match Examination::open(&db.options()).await.unwrap() {
            None => assert!(!db.is_postgres()),
            Some(examination) => {
                let found = examination.deployment(&db.options()).await.unwrap();
                assert_eq!(found, Deployment::Absent);
                assert_eq!(examination.newest_batch().await.unwrap(), None);
                assert!(examination.peek("log", "SELECT at FROM log").await.unwrap().is_none());
            }
        }
        assert_eq!(files(&db), BTreeSet::new());
    }

    async fn a_deployment_is_told_from_an_older_and_a_newer_one(db: Db) {
        let node = db.node().await;
        node.act(1, Act::Set(1)).await.unwrap();
        let at = open(&db).await.newest_batch().await.unwrap();
        assert!(at.is_some());
        node.log.stop().await;
        drop(node);
        let before = files(&db);
        let examination = open(&db).await;
        let found = examination.deployment(&db.options()).await.unwrap();
        assert_eq!(found, Deployment::Current);
        let mut other = db.options();
        other.server_name = "example.com".to_owned();
        let error = examination.deployment(&other).await.unwrap_err();
        assert!(matches!(error, StoreError::Refused(sentence) if sentence.contains("example.com")));
        let mut unknown = db.options();
        unknown.migrations.clear();
        let error = examination.deployment(&unknown).await.unwrap_err();
        assert!(matches!(error, StoreError::Refused(sentence) if sentence.contains("newer")));
        drop(examination);
        // Some that were there may go: their last reader has just gone.
        assert!(files(&db).is_subset(&before));
        let node = db.node().await;
        let forget = "DELETE FROM schema_migrations WHERE owner = 'cells'";
        node.log.write_local(LocalWrite::new().and(forget, vec![])).await.unwrap();
        let found = open(&db).await.deployment(&db.options()).await.unwrap();
        assert_eq!(found, Deployment::Older { missing: 1 });
        node.log.stop().await;
    }

    /// Beside a running node, whose newest changes are in its write-ahead log alone.
    async fn what_a_running_node_has_written_is_seen(db: Db) {
        let node = db.node().await;
        let examination = open(&db).await;
        assert_eq!(examination.newest_batch().await.unwrap(), None);
        node.act(1, Act::Set(1)).await.unwrap();
        assert!(open(&db).await.newest_batch().await.unwrap().is_some());
        node.log.stop().await;
    }

    async fn the_way_is_measured_and_clocks_are_compared(db: Db) {
        db.node().await.log.stop().await;
        let examination = open(&db).await;
        let clock = FakeClock::default();
        assert_eq!(examination.round_trip(&clock).await.unwrap(), Duration::ZERO);
        let found = examination.clock(&clock).await.unwrap();
        let facts = examination.postgres().await.unwrap();
        assert_eq!(found.is_some(), db.is_postgres());
        assert_eq!(facts.is_some(), db.is_postgres());
        if let (Some(found), Some(facts)) = (found, facts) {
            // This clock stands still, somewhere in the past.
            assert!(found.ahead_ms > 1_000, "{found:?}");
            assert!(facts.is_writable && facts.may_make_tables, "{facts:?}");
            assert!(facts.sessions > 0, "{facts:?}");
        }
    }

    async fn hosts_are_those_of_the_network(db: Db) {
        let within = Duration::from_secs(10);
        let found = HostFound::all(&db.options(), within).await.unwrap();
        assert_eq!(found.len(), usize::from(db.is_postgres()));
        let names = HostFound::names(&db.options()).unwrap();
        assert_eq!(names.len(), found.len());
        for host in found {
            assert!(matches!(host.state, HostState::Primary), "{host:?}");
            let (name, port) = &names[0];
            assert_eq!(host.host, format!("{name}:{port}"));
        }
    }
}

#[tokio::test]
async fn the_pages_of_a_file_are_looked_through_and_none_is_made_beside_it() {
    let db = Db::sqlite();
    let node = db.node().await;
    node.act(1, Act::Set(1)).await.unwrap();
    node.log.stop().await;
    drop(node);
    let Location::Sqlite(path) = &db.location else {
        unreachable!("this is a file");
    };
    let before = files(&db);
    assert_eq!(FileForm::of(path).unwrap(), FileForm::WithLog);
    assert_eq!(quick_check(path).unwrap(), Vec::<String>::new());
    assert!(files(&db).is_subset(&before));
    let mut content = std::fs::read(path).unwrap();
    let end = content.len();
    content[end - 8_192..end].fill(0xa5);
    std::fs::write(path, content).unwrap();
    assert!(quick_check(path).map_or(true, |wrong| !wrong.is_empty()));
    std::fs::write(path, "").unwrap();
    assert_eq!(FileForm::of(path).unwrap(), FileForm::Empty);
    std::fs::write(path, "no database").unwrap();
    assert_eq!(FileForm::of(path).unwrap(), FileForm::Foreign);
}

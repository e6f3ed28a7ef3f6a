//! SQLite: one writer thread, many tasks, readers beside it.

use std::sync::Arc;

use store::{LocalWrite, Location};
use testkit::eventually;
use tokio::task::JoinSet;

use crate::support::{Db, cells::Act, several};

const WRITERS: i64 = 8;
const COMMITS: i64 = 120;

/// Each intent moves one from a cell to another, so every moment has the same sum.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn snapshots_beside_eight_writers_see_whole_intents_only() {
    let db = Db::sqlite();
    let node = Arc::new(db.node().await);
    let mut writing = JoinSet::new();
    for writer in 0..WRITERS {
        let node = Arc::clone(&node);
        writing.spawn(async move {
            for _ in 0..COMMITS {
                let moved = [(writer, Act::Add(-100)), (100 + writer, Act::Add(100))];
                node.log.commit(several(moved)).await.unwrap();
            }
        });
    }
    let mut reading = JoinSet::new();
    for _ in 0..3 {
        let node = Arc::clone(&node);
        reading.spawn(async move {
            let mut heads = Vec::new();
            while heads
                .last()
                .is_none_or(|head| *head < 2 * WRITERS * COMMITS)
            {
                let snapshot = node.database().snapshot().await.unwrap();
                let sum = "SELECT CAST(COALESCE(SUM(value), 0) AS BIGINT) FROM cells";
                let count = "SELECT COUNT(*) FROM marks";
                let sum = snapshot.query_opt(sum, &[]).await.unwrap().unwrap();
                let count = snapshot.query_opt(count, &[]).await.unwrap().unwrap();
                assert_eq!(sum.int(0).unwrap(), 0);
                assert_eq!(count.int(0).unwrap(), snapshot.head().get());
                heads.push(snapshot.head().get());
            }
            assert!(heads.is_sorted(), "no snapshot is older than one before it");
        });
    }
    writing.join_all().await;
    reading.join_all().await;
    assert_eq!(node.assert_total_order().await.get(), 2 * WRITERS * COMMITS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_can_be_taken_once_is_taken_once() {
    let db = Db::sqlite();
    let node = Arc::new(db.node().await);
    node.act(1, Act::Set(60)).await.unwrap();
    let mut taking = JoinSet::new();
    for _ in 0..100 {
        let node = Arc::clone(&node);
        taking.spawn(async move { node.act(1, Act::Take).await.ok() });
    }
    let mut taken: Vec<_> = taking.join_all().await.into_iter().flatten().collect();
    taken.sort_unstable();
    assert_eq!(taken, (1..=60).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_second_log_over_one_opened_database_is_refused() {
    let db = Db::sqlite();
    let node = db.node().await;
    let clock = Arc::new(testkit::clock::FakeClock::default());
    let again = store::LogBuilder::new(node.database().clone(), clock);
    assert!(again.start().await.is_err());
    node.act(1, Act::Set(1)).await.unwrap();
}

/// Otherwise the write-ahead log of a server that is never idle would grow for ever, and every
/// reader would search all of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_written_without_pause_is_copied_back_and_the_log_begins_anew() {
    const NOTE_BYTES: u64 = 1024 * 1024;
    const NOTES: u64 = 192;
    let db = Db::sqlite();
    let node = Arc::new(db.node().await);
    let mut writing = JoinSet::new();
    for writer in 0..4 {
        let node = Arc::clone(&node);
        writing.spawn(async move {
            for id in (writer..NOTES).step_by(4) {
                let sql = "INSERT INTO scratch (id, note) VALUES ($1, $2)";
                let note = "x".repeat(NOTE_BYTES as usize);
                let params = vec![i64::try_from(id).unwrap().into(), note.into()];
                let write = LocalWrite::new().and(sql, params);
                node.log.write_local(write).await.unwrap();
            }
        });
    }
    writing.join_all().await;
    let Location::Sqlite(path) = &db.location else {
        panic!("this is SQLite");
    };
    eventually("the file has grown", || async {
        let grown = std::fs::metadata(path).unwrap().len() > 48 * NOTE_BYTES;
        grown.then_some(())
    })
    .await;
    let log = path.with_extension(format!("{}-wal", path.extension().unwrap().display()));
    let length = std::fs::metadata(log).unwrap().len();
    assert!(length < (NOTES - 32) * NOTE_BYTES, "{length} bytes");
}

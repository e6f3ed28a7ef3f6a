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

/// Otherwise every reader would search an ever longer write-ahead log.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_written_is_copied_back_into_the_file() {
    const NOTE_BYTES: usize = 1024 * 1024;
    let db = Db::sqlite();
    let node = db.node().await;
    for id in 0..24 {
        let sql = "INSERT INTO scratch (id, note) VALUES ($1, $2)";
        let note = "x".repeat(NOTE_BYTES);
        let write = LocalWrite::new().and(sql, vec![id.into(), note.into()]);
        node.log.write_local(write).await.unwrap();
    }
    let Location::Sqlite(path) = &db.location else {
        panic!("this is SQLite");
    };
    eventually("the file has grown", || async {
        let grown = std::fs::metadata(path).unwrap().len() > 8 * NOTE_BYTES as u64;
        grown.then_some(())
    })
    .await;
}

//! Connections that are lost at the worst moment: the answer is the truth, and nothing stands
//! twice.

use std::{sync::Arc, time::Duration};

use store::{DatabaseOptions, Location, StoreError};
use testkit::eventually;
use tokio_postgres::NoTls;

use super::proxy::{Cut, Proxy};
use crate::support::{Db, Node, cells::Act, in_one_batch, one};

async fn node_behind(proxy: &Proxy, db: &Db) -> Arc<Node> {
    let options = DatabaseOptions {
        location: proxy.location(db),
        ..db.options()
    };
    Arc::new(Node::start(options).await)
}

/// Many changes at once, of which some batch is cut: each that was acknowledged stands once,
/// and none else.
async fn cut_at_commit(cut: Cut) {
    let db = Db::postgres().await;
    let proxy = Proxy::before(&db).await;
    let node = node_behind(&proxy, &db).await;
    let other = db.node().await;
    node.act(1_000, Act::Set(1)).await.unwrap();
    let mut told = node.log.subscribe();
    for round in 1..=4_i64 {
        proxy.cut(cut);
        let mut committing = tokio::task::JoinSet::new();
        for index in 0..10 {
            let (cell, node) = (100 * round + index, Arc::clone(&node));
            committing.spawn(async move { (cell, node.act(cell, Act::Add(1)).await.is_ok()) });
        }
        for (cell, acknowledged) in committing.join_all().await {
            assert!(acknowledged, "the database was there again");
            assert_eq!(other.stored(cell).await, Some(1));
            assert_eq!(node.read(cell).await.unwrap(), Some(1));
        }
        assert_eq!(proxy.cuts(), usize::try_from(round).unwrap());
    }
    let head = other.assert_total_order().await;
    assert_eq!(head.get(), 41);
    let mut next = 2;
    while next <= head.get() {
        let batch = told.recv().await.unwrap();
        assert_eq!(
            batch.first_pos.get(),
            next,
            "subscribers were told once and in order"
        );
        next = batch.last_pos.get() + 1;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_commit_that_was_never_heard_is_done_again() {
    cut_at_commit(Cut::BeforeCommit).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_commit_whose_answer_was_lost_is_not_done_again() {
    cut_at_commit(Cut::BeforeAnswer).await;
}

/// What is not known is not answered: not until the database can be asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_unknown_outcome_waits_for_the_database() {
    let db = Db::postgres().await;
    let proxy = Proxy::before(&db).await;
    let node = node_behind(&proxy, &db).await;
    let other = db.node().await;
    node.act(1, Act::Set(1)).await.unwrap();
    proxy.refuse(true);
    proxy.cut(Cut::BeforeAnswer);
    let (intent, _) = one(2, Act::Add(1));
    let log = node.log.clone();
    let mut committing = tokio::spawn(async move { log.commit(intent).await.map(drop) });
    eventually("the commit stands", || async { other.stored(2).await }).await;
    // More attempts than a batch is given, and still neither success nor failure.
    let answered = tokio::time::timeout(Duration::from_secs(3), &mut committing).await;
    assert!(answered.is_err());
    proxy.refuse(false);
    committing.await.unwrap().unwrap();
    assert_eq!(other.stored(2).await, Some(1));
    other.assert_total_order().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_database_that_is_gone_is_told_to_callers_and_found_again() {
    let db = Db::postgres().await;
    let proxy = Proxy::before(&db).await;
    let node = node_behind(&proxy, &db).await;
    proxy.refuse(true);
    // The committer connects when it is first needed.
    let answer = node.act(1, Act::Set(1)).await.unwrap_err();
    assert!(matches!(
        answer,
        store::CommitError::Store(StoreError::Unavailable(_))
    ));
    proxy.refuse(false);
    node.act(1, Act::Set(2)).await.unwrap();
    assert_eq!(node.stored(1).await, Some(2));
    assert_eq!(node.assert_total_order().await.get(), 1);
}

/// A node that cannot confirm the head says so soon, rather than serve what may be old.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_barrier_refuses_while_the_database_does_not_answer() {
    let db = Db::postgres().await;
    let proxy = Proxy::before(&db).await;
    let node = node_behind(&proxy, &db).await;
    let other = db.node().await;
    node.act(1, Act::Set(1)).await.unwrap();
    assert_eq!(node.read(1).await.unwrap(), Some(1));
    proxy.pause(true);
    other.act(1, Act::Set(2)).await.unwrap();
    let refused = tokio::time::timeout(Duration::from_secs(4), node.read(1)).await;
    let refused = refused.expect("it is refused within a second or so");
    assert!(matches!(refused, Err(StoreError::Unavailable(_))));
    proxy.pause(false);
    let value = eventually("the head is confirmed again", || async {
        node.read(1).await.ok()
    })
    .await;
    assert_eq!(value, Some(2));
}

/// The session that hung is left after a while: another server may have taken over.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_session_that_hangs_is_given_up() {
    let db = Db::postgres().await;
    let proxy = Proxy::before(&db).await;
    let node = node_behind(&proxy, &db).await;
    node.log.barrier().await.unwrap();
    proxy.stall_open_connections();
    assert!(node.log.barrier().await.is_err());
    eventually("a new session confirms the head", || async {
        node.log.barrier().await.ok()
    })
    .await;
}

/// A node that stops leaves its callers without an answer, rather than wait for one.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn stopping_does_not_wait_for_a_database_that_is_gone() {
    let db = Db::postgres().await;
    let proxy = Proxy::before(&db).await;
    let node = node_behind(&proxy, &db).await;
    let other = db.node().await;
    node.act(1, Act::Set(1)).await.unwrap();
    proxy.refuse(true);
    proxy.cut(Cut::BeforeAnswer);
    let (intent, _) = one(2, Act::Add(1));
    let log = node.log.clone();
    let committing = tokio::spawn(async move { log.commit(intent).await.map(drop) });
    eventually("the commit stands", || async { other.stored(2).await }).await;
    let stopping = tokio::time::timeout(Duration::from_secs(20), node.log.stop());
    stopping.await.expect("the node stops");
    assert!(matches!(
        committing.await.unwrap(),
        Err(store::CommitError::Store(StoreError::Unavailable(_)))
    ));
}

/// Lock, read, write with COMMIT: the log is locked for three round trips.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_batch_takes_three_round_trips() {
    let db = Db::postgres().await;
    let proxy = Proxy::before(&db).await;
    let node = node_behind(&proxy, &db).await;
    for cell in 1..=30 {
        node.act(cell, Act::Add(1)).await.unwrap();
    }
    assert_eq!(proxy.fewest_trips(), Some(3));
}

/// A row that somebody else keeps locked holds up the change that needs it, and no other.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_change_that_waits_too_long_falls_alone() {
    let db = Db::postgres().await;
    let node = db.node().await;
    node.act(7, Act::Set(1)).await.unwrap();
    let Location::Postgres(url) = &db.location else {
        panic!("this database is PostgreSQL's")
    };
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
        .batch_execute("BEGIN; UPDATE cells SET value = 5 WHERE id = 7")
        .await
        .unwrap();
    let intents = vec![one(1, Act::Set(1)).0, one(7, Act::Set(2)).0];
    let answers = in_one_batch(&node, intents).await;
    assert!(answers[0].is_ok(), "it had nothing to do with the row");
    assert!(matches!(
        answers[1],
        Err(store::CommitError::Store(StoreError::Unavailable(_)))
    ));
    client.batch_execute("ROLLBACK").await.unwrap();
    node.act(7, Act::Add(1)).await.unwrap();
    assert_eq!(node.stored(7).await, Some(2));
    node.assert_total_order().await;
}

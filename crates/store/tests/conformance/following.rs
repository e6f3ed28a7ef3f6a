//! Following the log: every batch once and in order, wherever it is known from.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use store::{Following, Pos};

use crate::support::{Db, Node, cells::Act, in_one_batch, one};

/// Follows until everything up to a position was given.
async fn followed(following: &mut Following, until: Pos, most: usize) -> Vec<(i64, i64)> {
    let mut followed = Vec::new();
    while following.given() < until {
        let next = tokio::time::timeout(Duration::from_secs(60), following.next(most));
        let batches = next.await.expect("a batch is missed").unwrap();
        assert!(!batches.is_empty() && batches.len() <= most);
        followed.extend(
            batches
                .iter()
                .map(|batch| (batch.first_pos.get(), batch.last_pos.get())),
        );
        assert_eq!(following.given(), batches.last().unwrap().last_pos);
    }
    followed
}

async fn write(node: &Node, batches: i64) {
    for number in 0..batches {
        node.act(number, Act::Add(1)).await.unwrap();
    }
}

conformance! {
    async fn what_was_before_is_read_and_what_comes_is_heard(db: Db) {
        let node = db.node().await;
        write(&node, 5).await;
        let mut following = node.log.follow(Pos::new(2));
        assert_eq!(followed(&mut following, Pos::new(5), 2).await, [(3, 3), (4, 4), (5, 5)]);
        let intents = (1..=3).map(|cell| one(cell, Act::Add(1)).0).collect();
        in_one_batch(&node, intents).await;
        assert_eq!(followed(&mut following, Pos::new(9), 8).await, [(6, 6), (7, 9)]);
        let idle = tokio::time::timeout(Duration::from_millis(50), following.next(8)).await;
        assert!(idle.is_err(), "there is nothing more");
        // Nothing is lost by giving up to wait.
        write(&node, 1).await;
        assert_eq!(followed(&mut following, Pos::new(10), 8).await, [(10, 10)]);
    }

    async fn what_is_followed_while_it_is_written_is_the_log(db: Db) {
        let node = Arc::new(db.node().await);
        write(&node, 3).await;
        let writing = {
            let node = Arc::clone(&node);
            tokio::spawn(async move {
                for _ in 0..20 {
                    join_all((0..8).map(|cell| node.act(cell, Act::Add(1)))).await;
                }
            })
        };
        // Whoever begins in the middle of it begins where they say.
        for after in [0, 3, 17, 60] {
            while node.log.applied() < Pos::new(after) {
                node.log.barrier().await.unwrap();
                tokio::task::yield_now().await;
            }
            let mut following = node.log.follow(Pos::new(0));
            let followed = followed(&mut following, Pos::new(163), 5).await;
            assert_eq!(followed, node.batches().await, "from {after} on");
        }
        writing.await.unwrap();
    }

    /// Who is too slow to hear all of it reads what was missed.
    async fn who_falls_behind_misses_nothing(db: Db) {
        let node = db.node().await;
        write(&node, 1).await;
        let mut following = node.log.follow(Pos::new(1));
        let batches = if db.is_postgres() { 20 } else { 4_200 };
        write(&node, batches).await;
        let until = Pos::new(1 + batches);
        let followed = followed(&mut following, until, 1_000).await;
        assert_eq!(followed, node.batches().await[1..]);
        write(&node, 1).await;
        assert_eq!(following.next(9).await.unwrap().len(), 1);
    }
}

//! Reading: snapshots stand still, subscribers follow, caches tell the truth.

use std::sync::atomic::Ordering;

use store::Pos;

use crate::support::{Db, cells::Act, one};

conformance! {
    async fn a_snapshot_does_not_see_what_commits_after_it(db: Db) {
        let node = db.node().await;
        node.act(1, Act::Set(1)).await.unwrap();
        let before = node.database().snapshot().await.unwrap();
        node.act(1, Act::Set(2)).await.unwrap();
        let after = node.database().snapshot().await.unwrap();
        for (snapshot, head, value) in [(&before, 1, 1), (&after, 2, 2), (&before, 1, 1)] {
            let read = "SELECT value FROM cells WHERE id = 1";
            let row = snapshot.query_opt(read, &[]).await.unwrap().unwrap();
            assert_eq!((snapshot.head(), row.int(0).unwrap()), (Pos::new(head), value));
        }
    }

    async fn a_snapshot_can_be_given_back_and_lent_again(db: Db) {
        let node = db.node().await;
        // More than there are readers.
        for value in 1..=20 {
            node.act(1, Act::Add(100)).await.unwrap();
            let snapshot = node.database().snapshot().await.unwrap();
            assert_eq!(snapshot.head(), Pos::new(value));
        }
    }

    async fn subscribers_see_every_batch_in_order(db: Db) {
        let node = db.node().await;
        let mut batches = node.log.subscribe();
        let committing = (1..=60).map(|cell| {
            let (intent, _) = one(cell, Act::Set(1));
            let log = node.log.clone();
            tokio::spawn(async move { log.commit(intent).await.map(drop) })
        });
        for committed in committing.collect::<Vec<_>>() {
            committed.await.unwrap().unwrap();
        }
        let mut seen = Vec::new();
        let mut last = Pos::START;
        while last < Pos::new(60) {
            let batch = batches.recv().await.unwrap();
            assert_eq!(batch.first_pos.get(), last.get() + 1);
            assert!(batch.touched.has_kind("cells"));
            last = batch.last_pos;
            seen.extend(batch.touched.rooms());
        }
        seen.sort_unstable();
        assert_eq!(seen, (1..=60).collect::<Vec<_>>());
        assert_eq!(node.log.applied(), last);
    }

    async fn a_cache_is_filled_once_and_follows_changes(db: Db) {
        let node = db.node().await;
        let hits = || node.cells.hits.load(Ordering::Relaxed);
        assert_eq!(node.read(1).await.unwrap(), None);
        assert_eq!((node.read(1).await.unwrap(), hits()), (None, 1));
        node.act(1, Act::Set(4)).await.unwrap();
        assert_eq!((node.read(1).await.unwrap(), hits()), (Some(4), 2));
    }

    async fn a_batch_that_is_not_acknowledged_is_not_cached(db: Db) {
        let node = db.node().await;
        node.act(1, Act::Set(4)).await.unwrap();
        let refused = crate::support::several([(1, Act::Set(5)), (1, Act::Refuse)]);
        assert!(node.log.commit(refused).await.is_err());
        assert_eq!(node.read(1).await.unwrap(), Some(4));
    }
}

//! Batches: positions, verdicts, refusals, and what stands before an intent.

use std::sync::Arc;

use futures_util::{future::join_all, poll};
use store::{CommitError, Intent, StoreError};

use crate::support::{
    Db,
    cells::{Act, Cells, Gate, Refusal},
    in_one_batch, one, refusal, several,
};

fn set(cell: i64, value: i64) -> Intent {
    one(cell, Act::Set(value)).0
}

conformance! {
    async fn positions_are_consecutive_and_a_batch_is_one_row(db: Db) {
        let node = db.node().await;
        let answers = in_one_batch(&node, (1..=5).map(|cell| set(cell, cell)).collect()).await;
        let positions: Vec<_> = answers
            .into_iter()
            .map(|answer| answer.unwrap().last_pos().get())
            .collect();
        assert_eq!(positions, [2, 3, 4, 5, 6]);
        assert_eq!(node.batches().await, [(1, 1), (2, 6)]);
        node.assert_total_order().await;
    }

    async fn a_refused_intent_fails_alone_and_leaves_no_gap(db: Db) {
        let node = db.node().await;
        let refused = one(2, Act::Refuse).0;
        let mut answers = in_one_batch(&node, vec![set(1, 1), refused, set(3, 3)]).await;
        assert_eq!(answers.pop().unwrap().unwrap().last_pos().get(), 3);
        assert_eq!(refusal(answers.pop().unwrap()), Refusal::Asked);
        assert_eq!(answers.pop().unwrap().unwrap().last_pos().get(), 2);
        assert_eq!(node.assert_total_order().await.get(), 3);
        assert_eq!(node.stored(2).await, None);
    }

    async fn the_changes_of_an_intent_stand_or_fall_together(db: Db) {
        let node = db.node().await;
        let fallen = several([(1, Act::Set(1)), (2, Act::Set(2)), (3, Act::Refuse)]);
        let standing = several([(4, Act::Set(4)), (5, Act::Set(5))]);
        // What the fallen one staged must not be seen by the one behind it.
        let behind = one(1, Act::Add(10)).0;
        let answers = in_one_batch(&node, vec![fallen, standing, behind]).await;
        assert!(answers[0].is_err());
        assert_eq!((node.stored(1).await, node.stored(2).await), (Some(10), None));
        assert_eq!((node.stored(4).await, node.stored(5).await), (Some(4), Some(5)));
        node.assert_total_order().await;
    }

    async fn an_intent_sees_what_stands_before_it_in_its_batch(db: Db) {
        let node = db.node().await;
        let take = || one(1, Act::Take).0;
        let answers = in_one_batch(&node, vec![take(), set(1, 2), take(), take(), take()]).await;
        let stands: Vec<_> = answers.iter().map(Result::is_ok).collect();
        assert_eq!(stands, [false, true, true, true, false]);
        assert_eq!(node.stored(1).await, Some(0));
    }

    async fn a_retry_is_answered_and_does_nothing(db: Db) {
        let node = db.node().await;
        let first = node.log.commit(several([(1, Act::SetOnce(7)), (2, Act::Set(1))])).await;
        assert_eq!(first.unwrap().last_pos().get(), 2);
        // The retry's other change is not done either, wherever it stands.
        let mut retry = Intent::new();
        let before = retry.add::<Cells>(crate::support::cells::Change { cell: 2, act: Act::Add(1) });
        let told = retry.add::<Cells>(crate::support::cells::Change { cell: 1, act: Act::SetOnce(8) });
        let mut retried = node.log.commit(retry).await.unwrap();
        assert_eq!(retried.take(before), None);
        assert_eq!(retried.take(told), Some(7));
        assert_eq!(retried.last_pos().get(), 2);
        assert_eq!((node.stored(1).await, node.stored(2).await), (Some(7), Some(1)));
        assert_eq!(node.assert_total_order().await.get(), 2);
    }

    /// The answer's position includes what it says, even when that came a moment before.
    async fn a_retry_in_the_same_batch_knows_where_the_first_stands(db: Db) {
        let node = db.node().await;
        let twice = vec![one(1, Act::SetOnce(7)).0, one(1, Act::SetOnce(8)).0];
        let answers = in_one_batch(&node, twice).await;
        let positions: Vec<_> = answers
            .into_iter()
            .map(|answer| answer.unwrap().last_pos().get())
            .collect();
        assert_eq!(positions, [2, 2]);
        assert_eq!(node.stored(1).await, Some(7));
    }

    async fn nothing_to_do_takes_no_position_and_writes_no_row(db: Db) {
        let node = db.node().await;
        node.act(1, Act::Set(5)).await.unwrap();
        assert_eq!(node.act(1, Act::Ensure(5)).await.unwrap(), 5);
        assert_eq!(node.batches().await, [(1, 1)]);
        // Beside a change it costs nothing either.
        let both = several([(1, Act::Ensure(5)), (2, Act::Set(6))]);
        assert_eq!(node.log.commit(both).await.unwrap().last_pos().get(), 2);
        assert_eq!(node.assert_total_order().await.get(), 2);
    }

    async fn an_intent_larger_than_a_batch_is_refused(db: Db) {
        let node = db.node().await;
        let answer = node.act(1, Act::Weigh(1024 * 1024 + 1)).await;
        assert!(matches!(answer, Err(CommitError::Store(StoreError::Refused(_)))));
        node.act(1, Act::Weigh(1024 * 1024)).await.unwrap();
    }

    async fn a_batch_is_bounded_in_bytes_and_in_intents(db: Db) {
        let node = db.node().await;
        let weigh = |cell| one(cell, Act::Weigh(400_000)).0;
        in_one_batch(&node, (1..=5).map(weigh).collect()).await;
        assert_eq!(node.batches().await, [(1, 1), (2, 3), (4, 5), (6, 6)]);
        in_one_batch(&node, (1..=300).map(|cell| set(cell, 1)).collect()).await;
        let sizes: Vec<_> = node.batches().await[4..]
            .iter()
            .map(|(first, last)| last - first + 1)
            .collect();
        assert_eq!(sizes, [1, 256, 44]);
    }

    async fn a_thousand_at_once_are_each_acknowledged_and_stand_once(db: Db) {
        let node = db.node().await;
        let mut committing = tokio::task::JoinSet::new();
        for cell in 1..=1_000 {
            let log = node.log.clone();
            committing.spawn(async move {
                let (intent, _) = one(cell, Act::Add(1));
                (cell, log.commit(intent).await.unwrap().last_pos().get())
            });
        }
        let mut acknowledged = committing.join_all().await;
        acknowledged.sort_unstable();
        let mut standing: Vec<_> = node
            .marks()
            .await
            .into_iter()
            .map(|(pos, cell, value)| {
                assert_eq!(value, 1);
                (cell, pos)
            })
            .collect();
        standing.sort_unstable();
        assert_eq!(acknowledged, standing);
        assert_eq!(node.assert_total_order().await.get(), 1_000);
    }

    async fn stopping_finishes_what_is_queued(db: Db) {
        let node = db.node().await;
        let gate = Arc::new(Gate::default());
        let (holding, _) = one(-1, Act::Hold(Arc::clone(&gate)));
        let mut held = Box::pin(node.log.commit(holding));
        assert!(poll!(&mut held).is_pending());
        gate.entered.acquire().await.unwrap().forget();
        let mut queued = Box::pin(join_all((1..=20).map(|cell| node.log.commit(set(cell, 1)))));
        assert!(poll!(&mut queued).is_pending());
        let mut stopping = Box::pin(node.log.stop());
        assert!(poll!(&mut stopping).is_pending());
        gate.open.add_permits(9);
        stopping.await;
        held.await.unwrap();
        assert!(queued.await.iter().all(Result::is_ok));
        assert!(node.log.commit(set(1, 2)).await.is_err());
        assert_eq!(node.assert_total_order().await.get(), 21);
    }
}

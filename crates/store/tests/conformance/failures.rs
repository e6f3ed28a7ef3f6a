//! Failures inside a batch: the culprit alone is refused, and the log goes on.

use std::sync::atomic::Ordering;

use store::{CommitError, Intent, StoreError};

use crate::support::{
    Db, Node,
    cells::{Act, OF_ANOTHER_TYPE, PANICS_WHEN_WRITTEN, REFUSED_BY_THE_TABLE},
    in_one_batch, one,
};

/// Commits nine good intents with the culprit among them, and checks that it alone fell.
async fn falls_alone(db: &Db, culprit: impl Fn() -> Act) {
    let node = db.node().await;
    let intents: Vec<Intent> = (1..=10)
        .map(|cell| match cell {
            7 => one(cell, culprit()).0,
            cell => one(cell, Act::Set(1)).0,
        })
        .collect();
    let answers = in_one_batch(&node, intents).await;
    for (cell, answer) in (1..).zip(&answers) {
        match answer {
            Ok(_) => assert_ne!(cell, 7, "the culprit was committed"),
            Err(CommitError::Store(StoreError::Unavailable(sentence))) => {
                panic!("{cell} was given up on: {sentence}")
            }
            Err(error) => assert_eq!(cell, 7, "{error}"),
        }
    }
    for cell in 1..=10 {
        assert_eq!(node.stored(cell).await, (cell != 7).then_some(1));
    }
    // The one that held the batch, and nine.
    assert_eq!(node.assert_total_order().await.get(), 10);
    goes_on(&node).await;
}

async fn goes_on(node: &Node) {
    node.act(99, Act::Set(2)).await.unwrap();
    assert_eq!(node.read(99).await.unwrap(), Some(2));
}

conformance! {
    async fn what_the_table_refuses_falls_alone(db: Db) {
        falls_alone(&db, || Act::Set(REFUSED_BY_THE_TABLE)).await;
    }

    async fn a_value_of_another_type_falls_alone(db: Db) {
        // SQLite has no types of columns to check.
        if db.is_postgres() {
            falls_alone(&db, || Act::Set(OF_ANOTHER_TYPE)).await;
        }
    }

    async fn a_text_with_nul_inside_falls_alone(db: Db) {
        falls_alone(&db, || Act::Intern("@nul\0:example.org".to_owned())).await;
    }

    async fn a_panicking_check_falls_alone(db: Db) {
        falls_alone(&db, || Act::PanicInCheck).await;
    }

    async fn a_panicking_preparation_falls_alone(db: Db) {
        falls_alone(&db, || Act::PanicInPrepare).await;
    }

    async fn a_panicking_write_falls_alone(db: Db) {
        falls_alone(&db, || Act::Set(PANICS_WHEN_WRITTEN)).await;
    }

    /// PostgreSQL answers COMMIT with success in a failed transaction, and rolls back.
    async fn a_failure_that_nobody_was_told_of_is_not_acknowledged(db: Db) {
        falls_alone(&db, || Act::FailUnseenInPrepare).await;
    }

    async fn what_waits_for_the_commit_runs_after_it_and_only_then(db: Db) {
        let node = db.node().await;
        let count = || node.cells.after_commit.load(Ordering::SeqCst);
        let counting = one(1, Act::CountAfterCommit).0;
        let poison = one(2, Act::Set(REFUSED_BY_THE_TABLE)).0;
        // The first attempt, with both, is rolled back.
        let answers = in_one_batch(&node, vec![counting, poison]).await;
        assert!(answers[0].is_ok() && answers[1].is_err());
        assert_eq!(count(), 1);
        let refused = crate::support::several([(3, Act::CountAfterCommit), (3, Act::Refuse)]);
        assert!(node.log.commit(refused).await.is_err());
        assert_eq!(count(), 1);
    }
}

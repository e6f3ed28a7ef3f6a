//! What a server forgets as time passes.

use std::time::Duration;

use testkit::eventually;

use crate::harness::{Bench, Node, alice, conformance, txn};

const DAY: Duration = Duration::from_secs(24 * 3_600);

async fn remembered(node: &Node) -> usize {
    let rows = node.count("SELECT hash FROM transactions").await;
    rows.unwrap()
}

conformance! {
    async fn a_transaction_is_remembered_for_a_week(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        let old = node.say_as(&room, alice(), "x", txn("PHONE", "old")).await.unwrap();
        bench.clock.advance(4 * DAY);
        let young = node.say_as(&room, alice(), "x", txn("PHONE", "young")).await.unwrap();
        assert!(!node.rooms.forget_transactions(&node.log).await.unwrap());
        let again = node.say_as(&room, alice(), "x", txn("PHONE", "old")).await.unwrap();
        assert_eq!(again, old);
        bench.clock.advance(4 * DAY);
        assert!(node.rooms.forget_transactions(&node.log).await.unwrap());
        assert!(!node.rooms.forget_transactions(&node.log).await.unwrap());
        assert_eq!(remembered(&node).await, 1);
        let again = node.say_as(&room, alice(), "x", txn("PHONE", "young")).await.unwrap();
        assert_eq!(again, young);
        let again = node.say_as(&room, alice(), "x", txn("PHONE", "old")).await.unwrap();
        assert_ne!(again, old);
    }

    async fn many_transactions_are_forgotten_a_part_at_a_time(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        for round in 0..11 {
            let sends = (0..100).map(|number| {
                let txn_id = format!("{round}/{number}");
                let (node, room) = (&node, &room);
                async move { node.say_as(room, alice(), "x", txn("PHONE", &txn_id)).await }
            });
            futures_util::future::try_join_all(sends).await.unwrap();
        }
        assert_eq!(remembered(&node).await, 1_100);
        bench.clock.advance(8 * DAY);
        for left in [100, 0] {
            assert!(node.rooms.forget_transactions(&node.log).await.unwrap());
            assert_eq!(remembered(&node).await, left);
        }
    }
}

#[tokio::test]
async fn a_running_server_forgets_by_itself() {
    let bench = Bench::sqlite();
    let node = bench.node().await;
    let room = node.public().await;
    let sent = node.say_as(&room, alice(), "x", txn("PHONE", "1")).await;
    sent.unwrap();
    let (rooms, log) = (node.rooms.clone(), node.log.clone());
    let forgetting = tokio::spawn(async move { rooms.forget_transactions_regularly(&log).await });
    eventually("the first look is over", async || {
        (bench.clock.sleepers() > 0).then_some(())
    })
    .await;
    assert_eq!(remembered(&node).await, 1);
    bench.clock.advance(8 * DAY);
    eventually("the old transaction is forgotten", async || {
        (remembered(&node).await == 0).then_some(())
    })
    .await;
    forgetting.abort();
}

//! Nodes that start again, and nodes that try at once.

use rooms::EncryptionPolicy::Off;
use testkit::eventually;
use tokio::task::JoinHandle;

use super::*;
use crate::harness::{Bench, alice, conformance};

/// Lets a node send what is due by itself.
fn run(node: &Node) -> JoinHandle<()> {
    let (rooms, log) = (node.rooms.clone(), node.log.clone());
    tokio::spawn(async move { rooms.send_delayed_regularly(&log).await })
}

async fn is_said(node: &Node, room: &RoomId, texts: &[&str]) {
    eventually("it is said", async || {
        (node.said(room).await == texts).then_some(())
    })
    .await;
}

conformance! {
    async fn a_running_node_sends_by_itself(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        let running = run(&node);
        eventually("the first look is over", async || {
            (bench.clock.sleepers() > 0).then_some(())
        })
        .await;
        node.schedule(later(&room, alice(), "one", 3 * SECOND)).await.unwrap();
        node.schedule(later(&room, alice(), "two", 4 * SECOND)).await.unwrap();
        bench.clock.advance(3 * SECOND);
        is_said(&node, &room, &["one"]).await;
        bench.clock.advance(SECOND);
        is_said(&node, &room, &["one", "two"]).await;
        running.abort();
    }

    async fn a_node_that_starts_again_sends_what_is_overdue(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        node.schedule(later(&room, alice(), "boo", SECOND)).await.unwrap();
        node.schedule(later(&room, alice(), "much later", 9_000 * SECOND)).await.unwrap();
        node.log.stop().await;
        drop(node);
        bench.clock.advance(3_600 * SECOND);
        let node = bench.node_with(Off, 2).await;
        let running = run(&node);
        is_said(&node, &room, &["boo"]).await;
        running.abort();
    }

    /// The time of day is set forward: nobody wakes from that.
    async fn a_clock_that_was_set_is_noticed(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        node.schedule(later(&room, alice(), "boo", 3_600 * SECOND)).await.unwrap();
        let running = run(&node);
        eventually("the first look is over", async || {
            (bench.clock.sleepers() > 0).then_some(())
        })
        .await;
        let now = model::time::Clock::now(&bench.clock);
        bench.clock.set(now.plus(3_600 * SECOND));
        bench.clock.advance(10 * SECOND);
        is_said(&node, &room, &["boo"]).await;
        running.abort();
    }
}

#[tokio::test]
async fn of_two_nodes_that_try_at_once_one_sends() {
    let bench = Bench::postgres().await;
    let (one, two) = (bench.node_with(Off, 1).await, bench.node_with(Off, 2).await);
    let room = one.public().await;
    two.log.barrier().await.unwrap();
    for number in 0..40 {
        let text = number.to_string();
        one.schedule(later(&room, alice(), &text, SECOND))
            .await
            .unwrap();
    }
    bench.clock.advance(SECOND);
    tokio::join!(
        one.send_due(),
        two.send_due(),
        one.send_due(),
        two.send_due()
    );
    let mut said = one.said(&room).await;
    said.sort_by_key(|text| text.parse::<u32>().unwrap());
    let once: Vec<String> = (0..40).map(|number| number.to_string()).collect();
    assert_eq!(said, once);
}

#[tokio::test]
async fn of_sending_and_cancelling_at_once_one_happens() {
    let bench = Bench::postgres().await;
    let (one, two) = (bench.node_with(Off, 1).await, bench.node_with(Off, 2).await);
    let room = one.public().await;
    two.log.barrier().await.unwrap();
    let mut sent = 0;
    for number in 0..20 {
        let text = number.to_string();
        let delay_id = one.schedule(later(&room, alice(), &text, SECOND)).await;
        let delay_id = delay_id.unwrap();
        let (send, cancel) = tokio::join!(
            one.rooms.send_delayed_now(&one.log, &delay_id),
            two.rooms.cancel_delayed(&two.log, &delay_id),
        );
        assert!(send.is_ok() != cancel.is_ok(), "{number}");
        sent += usize::from(send.is_ok());
    }
    assert_eq!(one.said(&room).await.len(), sent);
}

/// Ten seconds have not passed: without a word from the log this node would not look yet.
#[tokio::test]
async fn another_node_hears_of_what_is_scheduled() {
    let bench = Bench::postgres().await;
    let (one, two) = (bench.node_with(Off, 1).await, bench.node_with(Off, 2).await);
    let room = one.public().await;
    let running = run(&two);
    eventually("the first look is over", async || {
        (bench.clock.sleepers() > 0).then_some(())
    })
    .await;
    one.schedule(later(&room, alice(), "boo", 3 * SECOND))
        .await
        .unwrap();
    bench.clock.advance(3 * SECOND);
    is_said(&one, &room, &["boo"]).await;
    running.abort();
}

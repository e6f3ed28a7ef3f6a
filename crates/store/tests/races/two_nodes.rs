//! Two nodes over one PostgreSQL database.

use std::{
    sync::{Arc, atomic::Ordering},
    task::Poll,
    time::Duration,
};

use futures_util::{future::join_all, poll};

use store::{Batch, Pos};
use testkit::eventually;
use tokio::{
    sync::broadcast::Receiver,
    task::{JoinSet, unconstrained},
};

use crate::support::{
    Db, Node,
    cells::{Act, Gate, Thaw},
};

async fn two() -> (Db, [Arc<Node>; 2]) {
    let db = Db::postgres().await;
    let nodes = [Arc::new(db.node().await), Arc::new(db.node().await)];
    (db, nodes)
}

/// Runs the acts on alternating nodes, all at once, and collects what succeeded.
async fn at_once(
    nodes: &[Arc<Node>; 2],
    acts: impl IntoIterator<Item = (i64, Act)>,
) -> Vec<Option<i64>> {
    let mut running = JoinSet::new();
    for (index, (cell, act)) in acts.into_iter().enumerate() {
        let node = Arc::clone(&nodes[index % 2]);
        running.spawn(async move { node.act(cell, act).await.ok() });
    }
    running.join_all().await
}

/// What a subscriber was told, up to a position.
async fn told(mut batches: Receiver<Arc<Batch>>, until: Pos) -> Vec<(Pos, Pos)> {
    let mut told = Vec::new();
    while told.last().is_none_or(|(_, last)| *last < until) {
        let batch = batches.recv().await.unwrap();
        told.push((batch.first_pos, batch.last_pos));
    }
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn positions_are_total_and_both_nodes_are_told_the_same() {
    let (_db, nodes) = two().await;
    let told_to = nodes.each_ref().map(|node| node.log.subscribe());
    let done = at_once(&nodes, (1..=400).map(|cell| (cell, Act::Add(1)))).await;
    assert!(done.iter().all(Option::is_some));
    let head = nodes[0].assert_total_order().await;
    assert_eq!(head, Pos::new(400));
    let [first, second] = told_to;
    let first = told(first, head).await;
    assert_eq!(first, told(second, head).await);
    let stored = nodes[0].batches().await;
    let first: Vec<_> = first.iter().map(|(a, b)| (a.get(), b.get())).collect();
    assert_eq!(first, stored);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_is_told_apart_what_it_committed_itself() {
    let (_db, nodes) = two().await;
    let [mut one, mut other] = nodes.each_ref().map(|node| node.log.committed());
    let mut seen = nodes[1].log.subscribe();
    nodes[0].act(1, Act::Set(1)).await.unwrap();
    assert_eq!(*one.borrow_and_update(), Pos::new(1));
    // The other node applies the batch, and has nothing to announce.
    nodes[1].log.barrier().await.unwrap();
    assert_eq!(seen.recv().await.unwrap().last_pos, Pos::new(1));
    assert!(!other.has_changed().unwrap());
    assert_eq!(*other.borrow(), Pos::START);
    nodes[1].act(1, Act::Set(2)).await.unwrap();
    assert!(other.has_changed().unwrap());
    assert_eq!(*other.borrow_and_update(), Pos::new(2));
    nodes[0].log.barrier().await.unwrap();
    assert!(!one.has_changed().unwrap());
    // What changes nothing is announced by nobody.
    nodes[1].act(1, Act::Ensure(2)).await.unwrap();
    assert!(!other.has_changed().unwrap());
}

/// The tail may see a batch before the committer has heard of its own success.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_announces_its_last_batch_whoever_sees_it_first() {
    let (_db, nodes) = two().await;
    for round in 1..=200 {
        nodes[0].log.poke();
        nodes[0].act(1, Act::Set(round)).await.unwrap();
        let committed = *nodes[0].log.committed().borrow();
        assert_eq!(committed, Pos::new(round));
    }
}

/// Who waits for the log does not wait for a batch that was closed before.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_comes_while_another_node_holds_the_log_goes_into_one_batch() {
    let (_db, nodes) = two().await;
    let gate = Arc::new(Gate::default());
    let holding = {
        let (node, gate) = (Arc::clone(&nodes[0]), Arc::clone(&gate));
        tokio::spawn(async move { node.act(1, Act::Hold(gate)).await })
    };
    gate.entered.acquire().await.unwrap().forget();
    let first = {
        let node = Arc::clone(&nodes[1]);
        tokio::spawn(async move { node.act(2, Act::Add(1)).await })
    };
    eventually("the other node waits for the log", || async {
        let waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' \
             AND datname = current_database()";
        let waiting = nodes[1].database().query(waits, &[]).await.unwrap();
        (!waiting.is_empty()).then_some(())
    })
    .await;
    let mut more = Box::pin(unconstrained(join_all(
        (3..=7).map(|cell| nodes[1].act(cell, Act::Add(1))),
    )));
    assert!(matches!(poll!(&mut more), Poll::Pending));
    gate.open.add_permits(9);
    holding.await.unwrap().unwrap();
    first.await.unwrap().unwrap();
    assert!(more.await.iter().all(Result::is_ok));
    assert_eq!(nodes[0].batches().await, [(1, 1), (2, 7)]);
    nodes[0].assert_total_order().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn additions_from_both_nodes_are_none_lost() {
    let (_db, nodes) = two().await;
    let mut sums = at_once(&nodes, (0..300).map(|_| (1, Act::Add(20)))).await;
    sums.sort_unstable();
    assert_eq!(
        sums,
        (1..=300).map(|sum| Some(20 * sum)).collect::<Vec<_>>()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_can_be_taken_once_is_taken_once() {
    let (_db, nodes) = two().await;
    nodes[0].act(1, Act::Set(60)).await.unwrap();
    let taken = at_once(&nodes, (0..100).map(|_| (1, Act::Take))).await;
    let mut taken: Vec<_> = taken.into_iter().flatten().collect();
    taken.sort_unstable();
    assert_eq!(taken, (1..=60).collect::<Vec<_>>());
    assert_eq!(nodes[1].stored(1).await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_retry_on_the_other_node_is_done_once() {
    let (_db, nodes) = two().await;
    for cell in 1..=40 {
        let acts = [100 + cell, 200 + cell].map(|value| (cell, Act::SetOnce(value)));
        let answers = at_once(&nodes, acts).await;
        assert_eq!(answers[0], answers[1]);
        assert_eq!(answers[0], nodes[0].stored(cell).await);
    }
    nodes[0].assert_total_order().await;
}

/// What one node acknowledged, the other never denies, although both read from caches.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn behind_the_barrier_a_cache_never_gives_an_acknowledged_value_late() {
    let (_db, [writer, reader]) = two().await;
    let stop = Arc::new(tokio::sync::Notify::new());
    // Others keep filling the reader's cache meanwhile.
    let (busy, stopped) = (Arc::clone(&reader), Arc::clone(&stop));
    let filling = tokio::spawn(async move {
        let mut filling = std::pin::pin!(async {
            loop {
                for cell in 1..=3 {
                    busy.read(cell).await.unwrap();
                }
            }
        });
        tokio::select! {
            () = stopped.notified() => {}
            () = &mut filling => {}
        }
    });
    for round in 1..=150 {
        let cell = 1 + round % 3;
        writer.act(cell, Act::Set(100 + round)).await.unwrap();
        assert_eq!(reader.read(cell).await.unwrap(), Some(100 + round));
        assert_eq!(writer.read(cell).await.unwrap(), Some(100 + round));
    }
    stop.notify_one();
    filling.await.unwrap();
    assert!(reader.cells.hits.load(Ordering::Relaxed) > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn without_a_request_or_a_bus_a_node_learns_soon() {
    let (_db, nodes) = two().await;
    nodes[0].act(1, Act::Set(1)).await.unwrap();
    eventually("the other node has applied it", || async {
        (nodes[1].log.applied() == Pos::new(1)).then_some(())
    })
    .await;
}

/// The server ends the frozen node's transaction after a second; nobody waits for the thaw.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_frozen_writer_does_not_stop_the_other_node() {
    let db = Db::postgres().await;
    let other = db.node().await;
    let thaw = Thaw::after(Duration::from_secs(6));
    // A node freezes with its whole runtime.
    let (options, freezing) = (db.options(), Arc::clone(&thaw));
    let machine = std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let node = Node::start(options).await;
            node.act(1, Act::Freeze(freezing)).await.unwrap();
            assert_eq!(node.read(2).await.unwrap(), Some(2));
        });
    });
    eventually("the lock is held by a frozen thread", || async {
        thaw.frozen.load(Ordering::SeqCst).then_some(())
    })
    .await;
    other.act(2, Act::Set(2)).await.unwrap();
    assert!(
        !thaw.thawed.load(Ordering::SeqCst),
        "it waited for the thaw"
    );
    // After its thaw the node finds its transaction gone, and commits the batch once.
    tokio::task::spawn_blocking(|| machine.join().unwrap())
        .await
        .unwrap();
    assert_eq!(other.marks().await, [(1, 2, 2), (2, 1, 0)]);
    other.assert_total_order().await;
}

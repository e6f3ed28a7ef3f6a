//! Nodes that are killed, again and again.

use testkit::postgres;

use crate::{
    cluster::{Cluster, nats},
    form::by_form,
    trial::{ANSWERS, Trial},
};

const NODES: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn killed_nodes_lose_nothing_and_others_take_over() {
    let database = postgres::database().await;
    let nats = nats().await;
    let mut cluster = Cluster::of(NODES, &database.url, &nats).await;
    let mut trial = Trial::begin("nodes are killed", &cluster).await;
    let mut took = Vec::new();
    for _ in 0..by_form(5, 40) {
        trial.chance.pause(150).await;
        let node = trial.chance.below(NODES);
        trial.load.struck();
        cluster.nodes[node].kill().await;
        took.push(trial.load.cured().await);
        // Every other time a second one dies before the first is back.
        let other = trial.chance.other_than(node, NODES);
        let dies = trial.chance.below(2) == 0;
        if dies {
            trial.load.goes_on(ANSWERS / 3).await;
            cluster.nodes[other].kill().await;
        }
        trial.load.goes_on(ANSWERS / 3).await;
        cluster.nodes[node].restart().await;
        if dies {
            cluster.nodes[other].restart().await;
        }
        trial.load.goes_on(ANSWERS).await;
    }
    trial.report.note_times("taken over after a kill", took);
    trial.end(cluster).await;
}

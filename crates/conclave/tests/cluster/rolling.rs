//! Nodes that are restarted one after another, as an upgrade does.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::{eventually_within, postgres};
use tokio::time::Instant;

use crate::{
    cluster::{Cluster, Place, nats},
    form::{by_form, pause},
    scene::PATIENCE,
    support::Client,
    trial::{ANSWERS, Trial},
};

const NODES: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_fails_no_request_that_another_node_does_not_cure() {
    let database = postgres::database().await;
    let nats = nats().await;
    let place = |_| {
        Place::with(&[
            ("database.url", &database.url),
            ("bus.url", &nats.url()),
            ("server.leave_after", "1s"),
        ])
    };
    let mut cluster = Cluster::start((0..NODES).map(place).collect()).await;
    let mut trial = Trial::begin("nodes are restarted in turn", &cluster).await;
    let mut polls = Vec::new();
    for _ in 0..by_form(1, 5) {
        for node in 0..NODES {
            trial.chance.pause(200).await;
            let poll = tokio::spawn(quiet_poll(trial.scene.at(0, node)).await);
            // It waits there by now.
            pause(Duration::from_millis(300)).await;
            let began = Instant::now();
            let asked = trial.scene.at(0, node);
            tokio::join!(cluster.nodes[node].stop(), is_left_first(&asked));
            polls.push(began.elapsed());
            assert!(poll.await.unwrap(), "a long poll was broken off");
            cluster.nodes[node].restart().await;
            trial.load.goes_on(ANSWERS).await;
        }
    }
    trial.report.note_times("stopped", polls);
    trial.end(cluster).await;
}

/// Before anything else ends, balancers are told to send nobody more; who comes is answered.
async fn is_left_first(client: &Client) {
    let (ready, nothing) = ("/_conclave/health/ready", json!({}));
    eventually_within(PATIENCE, "the node says that it leaves", || async {
        let said = client.refusal("GET", ready, &nothing).await;
        let (status, _) = said.expect("a node that leaves can be asked whether it is ready");
        (status == 503).then_some(())
    })
    .await;
    let who = "/_matrix/client/v3/account/whoami";
    let answer = client.ask("GET", who, &Value::Null).await;
    answer.expect("a node that leaves answers");
}

/// Waits for news that do not come; says in the end whether that was answered as it should be.
pub(crate) async fn quiet_poll(client: Client) -> impl Future<Output = bool> + use<> {
    const NOTHING: &str = "filter=%7B%22room%22%3A%7B%22rooms%22%3A%5B%5D%7D%2C%22presence%22%3A%7B%22types%22%3A%5B%5D%7D%2C%22account_data%22%3A%7B%22types%22%3A%5B%5D%7D%7D";
    let first = format!("/_matrix/client/v3/sync?timeout=0&{NOTHING}");
    let first = eventually_within(PATIENCE, "a first sync", || async {
        client.ask("GET", &first, &Value::Null).await.ok()
    });
    let since = first.await["next_batch"].as_str().unwrap().to_owned();
    let path = format!("/_matrix/client/v3/sync?timeout=15000&since={since}&{NOTHING}");
    async move {
        let answer = client.ask("GET", &path, &Value::Null).await;
        answer.is_ok_and(|answer| answer["next_batch"].is_string())
    }
}

//! A node that freezes (SIGSTOP) while others go on, and wakes.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use testkit::{eventually_within, postgres};
use tokio::time::Instant;

use crate::{
    cluster::{Cluster, nats},
    followers::messages,
    form::{by_form, pause},
    scene::{PATIENCE, is_blamed, sign_in_again},
    trial::{ANSWERS, Trial},
};

/// Longer than a node may go without confirming the head of the log.
const SHORT: Duration = Duration::from_secs(3);

const LONG: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_wakes_tells_the_truth_at_once_and_writes_over_nobody() {
    let database = postgres::database().await;
    let nats = nats().await;
    let cluster = Cluster::of(2, &database.url, &nats).await;
    let mut trial = Trial::begin("a node freezes", &cluster).await;
    let mut first_answers = Vec::new();
    for round in 0..by_form(2, 3) {
        let node = trial.chance.below(2);
        let other = 1 - node;
        let carol = sign_in_again(&trial.scene, other).await;
        assert!(carol.at(trial.scene.addresses[node]).who().await.is_ok());
        trial.chance.pause(100).await;
        cluster.signal(node, Signal::STOP);
        pause(by_form(SHORT, LONG).saturating_sub(Duration::from_secs(1))).await;
        let nothing = json!({});
        let out = carol.ask("POST", "/_matrix/client/v3/logout", &nothing);
        out.await.unwrap();
        let event = trial.scene.say(other, &format!("asleep-{round}")).await;
        let path = trial.scene.in_room("messages?dir=b&limit=1000");
        // They wait at the frozen node: whatever it answers first, it answers to them.
        let reader = trial.scene.at(0, node);
        let reads = tokio::spawn(async move { reader.ask("GET", &path, &Value::Null).await });
        let revoked = carol.at(trial.scene.addresses[node]);
        let asks = tokio::spawn(async move { revoked.who().await });
        pause(Duration::from_secs(1)).await;
        cluster.signal(node, Signal::CONT);
        let woke = Instant::now();
        let read = reads.await.unwrap();
        let refused = asks.await.unwrap();
        first_answers.push(woke.elapsed());
        if let Ok(page) = read {
            let is_fresh = messages(&page["chunk"]).contains(&event);
            assert!(is_fresh, "the first answer lacks {event}");
        }
        // It may say that it cannot answer yet, and nothing else.
        let told = match refused {
            Err(status) if status >= 500 => carol.at(trial.scene.addresses[node]).settled().await,
            told => told,
        };
        assert_eq!(told, Err(401), "a revoked token was let in");
        let reader = trial.scene.at(0, node);
        let path = trial.scene.in_room(&format!("event/{event}"));
        let reads = eventually_within(PATIENCE, "it is read", || async {
            // That it is not there would be no answer to wait for.
            match reader.ask("GET", &path, &Value::Null).await {
                Err(error) if !is_blamed(&error) => None,
                read => Some(read.map(drop)),
            }
        });
        reads.await.unwrap();
        trial.load.goes_on(ANSWERS).await;
    }
    trial
        .report
        .note_times("first answers after waking", first_answers);
    trial.end(cluster).await;
}

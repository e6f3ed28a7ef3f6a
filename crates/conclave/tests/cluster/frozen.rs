//! A node that freezes (SIGSTOP) while others go on, and wakes.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use testkit::postgres;

use crate::{
    cluster::{Cluster, nats},
    form::{by_form, pause},
    scene::{GIVES_UP_AFTER, PATIENCE},
    support::Client,
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
        let carol = signed_in_again(&trial, other).await;
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
        let reads =
            tokio::spawn(
                async move { crate::scene::ask(&reader, "GET", &path, &Value::Null).await },
            );
        let revoked = carol.at(trial.scene.addresses[node]);
        let asks = tokio::spawn(async move { revoked.who().await });
        pause(Duration::from_secs(1)).await;
        cluster.signal(node, Signal::CONT);
        let woke = tokio::time::Instant::now();
        let read = reads.await.unwrap();
        let refused = asks.await.unwrap();
        first_answers.push(woke.elapsed());
        assert!(woke.elapsed() < GIVES_UP_AFTER.max(PATIENCE));
        if let crate::scene::Reply::Done(page) = &read {
            let is_fresh = crate::followers::messages(&page["chunk"]).contains(&event);
            assert!(is_fresh, "the first answer lacks {event}");
        }
        // It may say that it cannot answer yet, and nothing else.
        let told = match refused {
            Err(status) if status >= 500 => carol.at(trial.scene.addresses[node]).settled().await,
            told => told,
        };
        assert_eq!(told, Err(401), "a revoked token was let in");
        trial.load.goes_on(ANSWERS).await;
    }
    trial
        .report
        .note_times("first answers after waking", first_answers);
    trial.end(cluster).await;
}

/// A session of its own, to be ended.
async fn signed_in_again(trial: &Trial, node: usize) -> Client {
    let address = trial.scene.addresses[node];
    Client::sign_in(address, "alice", "correct horse battery").await
}

impl Client {
    /// Asks who this is: the status of a refusal, 599 when nobody answered.
    async fn who(&self) -> Result<(), u16> {
        let path = "/_matrix/client/v3/account/whoami";
        match self.refusal("GET", path, &json!({})).await {
            Ok((200, _)) => Ok(()),
            Ok((401, said)) if said["errcode"] == "M_UNKNOWN_TOKEN" => Err(401),
            Ok((status, _)) => Err(status),
            Err(_) => Err(599),
        }
    }

    /// The same, once it is neither.
    async fn settled(&self) -> Result<(), u16> {
        testkit::eventually_within(PATIENCE, "it is answered", || async {
            let told = self.who().await;
            (!told.is_err_and(|status| status >= 500)).then_some(told)
        })
        .await
    }
}

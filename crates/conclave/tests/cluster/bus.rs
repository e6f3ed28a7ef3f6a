//! NATS goes away, and comes back.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use testkit::{eventually_within, postgres};
use tokio::{sync::Mutex, time::Instant};

use crate::{
    cluster::{Cluster, blocking, nats},
    followers::step,
    form::{by_form, pause},
    scene::{PATIENCE, Scene},
    support::Client,
    trial::{ANSWERS, Trial},
};

/// How long NATS is away.
const SHORT: Duration = Duration::from_secs(4);

const LONG: Duration = Duration::from_secs(60);

/// How often it is measured how long a message takes.
const TIMES: u64 = 7;

#[tokio::test(flavor = "multi_thread")]
async fn without_nats_messages_arrive_late_and_with_it_at_once_again() {
    let database = postgres::database().await;
    let server = nats().await;
    let cluster = Cluster::of(2, &database.url, &server).await;
    let mut trial = Trial::begin("NATS is away", &cluster).await;
    let pair = Pair::set(&trial.scene).await;
    let server = Arc::new(Mutex::new(server));
    let order = async |comes: bool| {
        let server = Arc::clone(&server);
        blocking(move || {
            let mut server = server.blocking_lock();
            let obeyed = if comes {
                server.restart()
            } else {
                server.stop()
            };
            obeyed.unwrap();
        })
        .await;
    };
    pair.meets().await;
    // Any request makes a node look at the log, so it is quiet while this is measured.
    trial.load.rests(true).await;
    let before = pair.delays("before").await;
    order(false).await;
    let without = pair.delays("without").await;
    trial.load.rests(false).await;
    let began = Instant::now();
    trial.load.goes_on(ANSWERS).await;
    pause(by_form(SHORT, LONG).saturating_sub(began.elapsed())).await;
    trial.load.goes_on(ANSWERS).await;
    order(true).await;
    let began = Instant::now();
    pair.meets().await;
    let met = began.elapsed();
    trial.load.rests(true).await;
    let again = pair.delays("again").await;
    trial.load.rests(false).await;
    let report = &mut trial.report;
    report.note_times("from node to node before", before);
    report.note_times("from node to node without", without);
    report.note(
        "nodes met again after",
        format_args!("{} ms", met.as_millis()),
    );
    report.note_times("from node to node again", again);
    trial.end(cluster).await;
}

/// Two people at two nodes, in a quiet room of their own.
struct Pair {
    here: Client,
    there: Client,
    room: String,
}

impl Pair {
    async fn set(scene: &Scene) -> Self {
        let (here, there) = (scene.at(0, 0), scene.at(1, 1));
        let public = json!({ "preset": "public_chat" });
        let made = here.ask("POST", "/_matrix/client/v3/createRoom", &public);
        let room = made.await.unwrap()["room_id"].as_str().unwrap().to_owned();
        let (join, nothing) = (format!("/_matrix/client/v3/join/{room}"), json!({}));
        there.ask("POST", &join, &nothing).await.unwrap();
        Self { here, there, room }
    }

    /// How long messages at the one node take until a sync that waits at the other tells them.
    async fn delays(&self, name: &str) -> Vec<Duration> {
        let mut delays = Vec::new();
        for number in 0..TIMES {
            let mut since = self.token().await;
            let path = format!(
                "/_matrix/client/v3/rooms/{}/send/m.room.message/{name}-{number}",
                self.room
            );
            let content = json!({ "msgtype": "m.text", "body": name });
            let saying = async {
                // At no chosen moment of the other node's looking at the log.
                pause(Duration::from_millis(150 + 61 * number)).await;
                let said = self.here.ask("PUT", &path, &content).await.unwrap();
                let said = said["event_id"].as_str().unwrap().to_owned();
                (said, Instant::now())
            };
            let hearing = async {
                // Whatever else is news wakes them too.
                loop {
                    let wait = Duration::from_secs(3);
                    let heard = step(&self.there, &self.room, &since, wait).await;
                    let (next, events) = heard.expect("a node without NATS syncs");
                    if let [event] = events.as_slice() {
                        break (event.clone(), Instant::now());
                    }
                    since = next;
                }
            };
            let hearing = tokio::time::timeout(PATIENCE, hearing);
            let ((said, began), heard) = tokio::join!(saying, hearing);
            let (event, arrived) = heard.expect("a message arrives at the other node");
            assert_eq!(event, said);
            delays.push(arrived.saturating_duration_since(began));
        }
        delays
    }

    async fn token(&self) -> String {
        let path = "/_matrix/client/v3/sync?timeout=0";
        let answer = self.there.ask("GET", path, &Value::Null).await.unwrap();
        answer["next_batch"].as_str().unwrap().to_owned()
    }

    /// Waits until typing at the one node is seen at the other, which only NATS carries.
    async fn meets(&self) {
        let path = format!(
            "/_matrix/client/v3/rooms/{}/typing/{}",
            self.room, self.here.user_id
        );
        eventually_within(PATIENCE, "the nodes meet on NATS", || async {
            for typing in [false, true] {
                let content = json!({ "typing": typing, "timeout": 20_000 });
                self.here.ask("PUT", &path, &content).await.ok()?;
            }
            pause(Duration::from_millis(100)).await;
            let first = "/_matrix/client/v3/sync?timeout=0";
            let answer = self.there.ask("GET", first, &Value::Null).await.ok()?;
            let events = &answer["rooms"]["join"][&self.room]["ephemeral"]["events"];
            let mut events = events.as_array()?.iter();
            let typing = events.find(|event| event["type"] == "m.typing")?;
            let people = typing["content"]["user_ids"].as_array()?;
            (!people.is_empty()).then_some(())
        })
        .await;
        let content = json!({ "typing": false });
        self.here.ask("PUT", &path, &content).await.unwrap();
    }
}

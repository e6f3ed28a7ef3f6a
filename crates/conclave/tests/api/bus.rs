//! Two nodes of one deployment that meet on NATS, and what NATS may do to them.

use std::{collections::BTreeSet, path::Path, time::Duration};

use async_nats::{Client, Subscriber};
use conclave::{Node, Surroundings};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::{
    postgres::{self, TestDatabase},
    servers::Nats,
};
use tokio::time::{Instant, timeout};

use crate::{
    http::{configuration, get},
    nodes::assert_documented,
    person::{Person, shows_presence, typing},
};

/// How long something that must not come is waited for.
const WHILE: Duration = Duration::from_millis(1_500);

/// Two nodes over one database and one NATS.
struct Cluster {
    nodes: [Node; 2],
    _folders: [TempDir; 2],
    _database: TestDatabase,
}

impl Cluster {
    async fn start(nats: &str) -> Self {
        let database = postgres::database().await;
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let key = folders[0].path().join("master.key");
        let one = start(folders[0].path(), &database.url, &key, nats).await;
        let other = start(folders[1].path(), &database.url, &key, nats).await;
        Self {
            nodes: [one, other],
            _folders: folders,
            _database: database,
        }
    }

    /// Alice at the one node and Bob at the other, in one room.
    async fn people(&self) -> (Person, Person, String) {
        let [one, other] = self.nodes.each_ref().map(|node| node.addresses()[0]);
        let alice = Person::register(one, "alice").await;
        let mut bob = Person::register(other, "bob").await;
        let room = alice.make_room().await;
        bob.join(&room).await;
        bob.sync(Duration::ZERO).await;
        (alice, bob, room)
    }

    /// Waits until typing at the one node is seen at the other: both are on the bus.
    async fn meet(alice: &Person, bob: &mut Person, room: &str) {
        alice.types(room, true).await;
        bob.sees_typing(room, &["@alice:localhost"]).await;
        alice.types(room, false).await;
        bob.sees_typing(room, &[]).await;
    }

    async fn assert_ready(&self) {
        for node in &self.nodes {
            let ready = get(node.addresses()[0], "/_conclave/health/ready").await;
            assert_eq!(ready.status, 200);
        }
    }

    async fn stop(self) {
        for node in self.nodes {
            node.stop().await;
        }
    }
}

async fn start(folder: &Path, database: &str, key: &Path, nats: &str) -> Node {
    let more = format!(
        "[database]\nurl = {database:?}\n[seal]\nkey_file = {key:?}\n[bus]\nurl = {nats:?}\n\
         [registration]\nmode = \"open\"\n[rate_limits]\nenabled = false\n"
    );
    let loaded = configuration(folder, &more);
    let started = Node::start(&loaded, Surroundings::of_this_machine()).await;
    started.unwrap()
}

/// Lets so much time pass.
async fn pause(duration: Duration) {
    let never = std::future::pending::<()>();
    timeout(duration, never).await.unwrap_err();
}

/// Somebody else on the same NATS, who hears everything.
async fn eavesdrop(nats: &Nats) -> (Client, Subscriber) {
    let client = async_nats::connect(nats.url()).await.unwrap();
    let heard = client.subscribe(">").await.unwrap();
    client.flush().await.unwrap();
    (client, heard)
}

/// The next message that says this: its subject and who gave it.
async fn overhears(heard: &mut Subscriber, kind: &str) -> (String, String) {
    loop {
        let message = timeout(Duration::from_secs(30), heard.next()).await;
        let message = message.expect(kind).expect("NATS goes on");
        let text: Value = serde_json::from_slice(&message.payload).unwrap_or_default();
        if text["kind"] == kind {
            let from = text["from"].as_str().unwrap().to_owned();
            return (message.subject.to_string(), from);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn typing_and_presence_at_one_node_are_seen_at_the_other() {
    let nats = Nats::start().unwrap();
    let cluster = Cluster::start(&nats.url()).await;
    let (alice, mut bob, room) = cluster.people().await;
    Cluster::meet(&alice, &mut bob, &room).await;
    alice.is("unavailable", "in a meeting").await;
    let sought =
        |answer: &Value| shows_presence(answer, "@alice:localhost", "unavailable", "in a meeting");
    bob.sees("alice is in a meeting", sought).await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_wakes_the_other_node_and_only_who_committed_it_announces_it() {
    let nats = Nats::start().unwrap();
    let cluster = Cluster::start(&nats.url()).await;
    let (alice, mut bob, room) = cluster.people().await;
    Cluster::meet(&alice, &mut bob, &room).await;
    let (client, mut heard) = eavesdrop(&nats).await;
    let mut took = Vec::new();
    for number in 0..15 {
        let text = format!("message-{number}");
        let speaking = async {
            // The other waits by now, and has looked at the log at some moment before.
            pause(Duration::from_millis(200 + 31 * number)).await;
            let began = Instant::now();
            alice.says(&room, &text).await;
            began
        };
        let (began, ()) = tokio::join!(speaking, bob.reads(&room, &text));
        took.push(began.elapsed());
    }
    // The timer alone would take a quarter of a second, half of the time more.
    took.sort();
    assert!(took[7] < Duration::from_millis(150), "{took:?}");
    pause(WHILE).await;
    client.flush().await.unwrap();
    drop(client);
    let mut announced = Vec::new();
    while let Ok(Some(message)) = timeout(Duration::from_millis(100), heard.next()).await {
        let text: Value = serde_json::from_slice(&message.payload).unwrap();
        if text["kind"] == "poke" {
            announced.push(text["from"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(announced.len(), 15, "{announced:?}");
    assert_eq!(BTreeSet::from_iter(announced).len(), 1);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_nats_all_goes_on_and_with_it_nodes_learn_what_they_missed() {
    let mut nats = Nats::start().unwrap();
    let cluster = Cluster::start(&nats.url()).await;
    let (mut alice, mut bob, room) = cluster.people().await;
    Cluster::meet(&alice, &mut bob, &room).await;

    nats.stop().unwrap();
    for number in 0..5 {
        let text = format!("without-{number}");
        let began = Instant::now();
        tokio::join!(alice.says(&room, &text), bob.reads(&room, &text));
        assert!(began.elapsed() < Duration::from_secs(2), "{text}");
    }
    bob.says(&room, "and-back").await;
    alice.reads(&room, "and-back").await;
    // Said to nobody, and not said again.
    alice.types(&room, true).await;
    alice.is("unavailable", "at lunch").await;
    bob.types(&room, true).await;
    cluster.assert_ready().await;

    nats.restart().unwrap();
    let mut lunch = false;
    let mut types = false;
    let sought = |answer: &Value| {
        lunch |= shows_presence(answer, "@alice:localhost", "unavailable", "at lunch");
        let both = json!(["@alice:localhost", "@bob:localhost"]);
        types |= typing(answer, &room) == Some(both);
        lunch && types
    };
    bob.sees("what alice does", sought).await;
    let both = |answer: &Value| {
        let both = json!(["@alice:localhost", "@bob:localhost"]);
        typing(answer, &room) == Some(both)
    };
    alice.sees("that bob types too", both).await;
    bob.types(&room, false).await;
    alice.sees_typing(&room, &["@alice:localhost"]).await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_comes_later_learns_what_is_so() {
    let nats = Nats::start().unwrap();
    let cluster = Cluster::start(&nats.url()).await;
    let (alice, mut bob, room) = cluster.people().await;
    Cluster::meet(&alice, &mut bob, &room).await;
    // By now the others have told each other what they had to tell when they came.
    pause(Duration::from_secs(2)).await;
    alice.types(&room, true).await;
    bob.sees_typing(&room, &["@alice:localhost"]).await;
    let folder = tempfile::tempdir().unwrap();
    let key = cluster._folders[0].path().join("master.key");
    let late = start(folder.path(), &cluster._database.url, &key, &nats.url()).await;
    let mut carol = Person::register(late.addresses()[0], "carol").await;
    carol.join(&room).await;
    carol.sees_typing(&room, &["@alice:localhost"]).await;
    late.stop().await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_start_without_nats_and_meet_when_it_is_there() {
    let mut nats = Nats::start().unwrap();
    nats.stop().unwrap();
    let cluster = Cluster::start(&nats.url()).await;
    cluster.assert_ready().await;
    let (alice, mut bob, room) = cluster.people().await;
    alice.types(&room, true).await;
    nats.restart().unwrap();
    bob.sees_typing(&room, &["@alice:localhost"]).await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_deployments_on_one_nats_do_not_hear_each_other() {
    let nats = Nats::start().unwrap();
    let (_client, mut heard) = eavesdrop(&nats).await;
    let ours = Cluster::start(&nats.url()).await;
    let theirs = Cluster::start(&nats.url()).await;
    let (alice, mut bob, room) = ours.people().await;
    let (their_alice, mut their_bob, their_room) = theirs.people().await;
    let mut subjects = BTreeSet::new();
    while subjects.len() < 2 {
        subjects.insert(overhears(&mut heard, "ask").await.0);
    }
    Cluster::meet(&alice, &mut bob, &room).await;
    // The first room and the first user of a database have the same numbers everywhere.
    their_alice.types(&their_room, true).await;
    their_bob
        .sees_typing(&their_room, &["@alice:localhost"])
        .await;
    let answer = bob.sync(WHILE).await;
    assert_eq!(typing(&answer, &room), None);
    ours.stop().await;
    theirs.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_says_nonsense_on_nats_does_no_harm() {
    let nats = Nats::start().unwrap();
    let cluster = Cluster::start(&nats.url()).await;
    let (alice, mut bob, room) = cluster.people().await;
    let (client, mut heard) = eavesdrop(&nats).await;
    alice.types(&room, true).await;
    let (subject, _) = overhears(&mut heard, "typing").await;
    let nobody = r#""from":"00000000000000ff","v":1"#;
    for round in 0..2_000_i64 {
        let until = "4102444800000";
        for nonsense in [
            "\u{0}".to_owned(),
            "[".repeat(5_000),
            format!(
                r#"{{{nobody},"kind":"typing","room":{round},"user":{round},"until":{until}}}"#
            ),
            format!(r#"{{{nobody},"kind":"typing","room":1,"user":-{round},"until":{until}}}"#),
            format!(
                r#"{{{nobody},"kind":"presence","user":{},"activity":"online","status":"x","last_active_at":{until},"until":{until}}}"#,
                round + 1_000
            ),
            format!(r#"{{{nobody},"kind":"ask"}}"#),
            format!(r#"{{{nobody},"kind":"unheard of"}}"#),
        ] {
            client
                .publish(subject.clone(), nonsense.into())
                .await
                .unwrap();
        }
    }
    client.flush().await.unwrap();
    drop((client, heard));
    cluster.assert_ready().await;
    alice.says(&room, "still-here").await;
    bob.reads(&room, "still-here").await;
    alice.is("unavailable", "annoyed").await;
    let sought =
        |answer: &Value| shows_presence(answer, "@alice:localhost", "unavailable", "annoyed");
    bob.sees("alice is annoyed", sought).await;
    let metrics = get(cluster.nodes[0].metrics_address().unwrap(), "/metrics").await;
    for line in [
        r#"conclave_bus_ignored_total{reason="malformed"}"#,
        r#"conclave_bus_ignored_total{reason="unknown"}"#,
        "conclave_bus_connected",
        "conclave_bus_heard_total",
        "conclave_bus_published_total",
    ] {
        assert!(metrics.body.contains(line), "{line}: {}", metrics.body);
    }
    assert_documented(&metrics.body);
    cluster.stop().await;
}

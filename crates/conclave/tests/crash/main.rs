//! A server that is killed at random moments loses nothing that it acknowledged.
//!
//! The test can fail: a build that answers right before its commit instead of behind it lost
//! acknowledged messages in five runs of five.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of tests panics as a test does"
)]

mod client;
#[path = "../support/client.rs"]
mod support;
mod writers;

use std::{collections::HashMap, path::Path, sync::Arc, time::Duration};

use serde_json::json;
use testkit::server::{Engine, TestServer};
use tokio_util::sync::CancellationToken;

use self::{
    support::Client,
    writers::{Acknowledged, Writers},
};

/// How often the server is killed; the long form runs outside of these tests.
const KILLS: u64 = 10;

/// How many requests are answered, at least, between two kills.
const ANSWERS: usize = 40;

/// How many connections write at once.
const WRITERS: usize = 24;

async fn nothing_acknowledged_is_lost(engine: Engine) {
    let program = Path::new(env!("CARGO_BIN_EXE_conclave"));
    let mut server = TestServer::start_program(program, engine, &[]).await;
    let made = server
        .command(&["user", "create", "alice"], "correct horse battery\n")
        .await;
    assert!(made.status.success());
    let client =
        Arc::new(Client::sign_in(server.address(), "alice", "correct horse battery").await);
    let other = Client::sign_in(server.address(), "alice", "correct horse battery").await;
    let room = client
        .ask("POST", "/_matrix/client/v3/createRoom", &json!({}))
        .await
        .unwrap();
    let room = room["room_id"].as_str().unwrap().to_owned();

    let stop = CancellationToken::new();
    let writers = Writers::start(&client, &other.device_id, &room, WRITERS, &stop);
    let mut in_flight = Vec::new();
    for round in 0..KILLS {
        let before = writers.answered();
        let writers = &writers;
        testkit::eventually("the load is on again", || async move {
            (writers.answered() >= before + ANSWERS).then_some(())
        })
        .await;
        // And then anywhere inside of whatever goes on.
        let pause = Duration::from_millis((round * 37) % 160);
        #[expect(
            clippy::disallowed_methods,
            reason = "the moment of a crash is real time"
        )]
        tokio::time::sleep(pause).await;
        in_flight.push(writers.in_flight());
        server.kill().await;
        server.restart().await;
    }
    stop.cancel();
    let acknowledged = writers.finish().await;
    server.restart().await;
    verify(&client, &room, &acknowledged).await;
    verify_to_device(&other, &acknowledged).await;
    let written = acknowledged.messages.len();
    assert!(
        written > 100,
        "only {written} messages were written: the load was no load"
    );
    let most = in_flight.iter().copied().max().unwrap_or(0);
    assert!(
        most >= 20,
        "at most {most} requests were in flight when the server was killed"
    );
    server.stop().await;
}

/// Everything that was acknowledged is there once, and each writer's messages in their order.
async fn verify(client: &Client, room: &str, acknowledged: &Acknowledged) {
    let timeline = client.timeline(room).await;
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut bodies: HashMap<&str, usize> = HashMap::new();
    for (place, (event_id, body)) in timeline.iter().enumerate() {
        assert!(
            places.insert(event_id, place).is_none(),
            "{event_id} is there twice"
        );
        *bodies.entry(body).or_default() += 1;
    }
    for (body, times) in bodies.iter().filter(|(body, _)| !body.is_empty()) {
        assert_eq!(*times, 1, "{body} was made more than once by its retries");
    }
    let mut last: HashMap<usize, usize> = HashMap::new();
    for message in &acknowledged.messages {
        let place = places.get(message.event_id.as_str());
        let place =
            *place.unwrap_or_else(|| panic!("{} was acknowledged and is lost", message.body));
        assert_eq!(timeline[place].1, message.body);
        let before = last.insert(message.writer, place);
        assert!(
            before.is_none_or(|before| before < place),
            "{} is out of order",
            message.body
        );
    }
    for (writer, count) in &acknowledged.counts {
        let stands = client.account_data(*writer).await;
        assert!(
            stands >= *count,
            "writer {writer}: {count} was acknowledged, {stands} stands"
        );
    }
    for (file, content) in &acknowledged.files {
        assert_eq!(
            &client.download(file).await,
            content,
            "{file} was acknowledged"
        );
    }
    let read = client.receipts(room).await;
    for (thread, event_id) in &acknowledged.read {
        let stands = read.get(thread).map(|event_id| places[event_id.as_str()]);
        assert!(
            stands >= Some(places[event_id.as_str()]),
            "the receipt for {event_id} was acknowledged"
        );
    }
}

/// The other device, which was away all the time, gets every message once.
async fn verify_to_device(other: &Client, acknowledged: &Acknowledged) {
    let mut times: HashMap<String, usize> = HashMap::new();
    for body in other.sent_to_device().await {
        *times.entry(body).or_default() += 1;
    }
    assert!(!acknowledged.to_device.is_empty() && !acknowledged.read.is_empty());
    for (body, times) in &times {
        assert_eq!(*times, 1, "{body} came more than once");
    }
    for body in &acknowledged.to_device {
        assert!(
            times.contains_key(body),
            "{body} was acknowledged and is lost"
        );
    }
}

mod sqlite {
    use testkit::server::Engine;

    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_acknowledged_is_lost() {
        super::nothing_acknowledged_is_lost(Engine::Sqlite).await;
    }
}

mod postgres {
    use testkit::server::Engine;

    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_acknowledged_is_lost() {
        super::nothing_acknowledged_is_lost(Engine::Postgres).await;
    }
}

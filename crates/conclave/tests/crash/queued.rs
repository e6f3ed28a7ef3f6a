//! What waits to leave survives: a push gateway is away while thousands of notifications wait for
//! it, the server is killed while they are queued and while they are delivered, and in the end the
//! gateway has all of them, in order.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use testkit::{
    eventually_within,
    server::{Engine, TestServer},
};
use tokio::task::JoinSet;

use crate::{bench::program, chance::Chance, gateway::Gateway, scene::PASSWORD, support::Client};

/// Names the variable that says how many notifications wait.
const LETTERS_VARIABLE: &str = "CONCLAVE_CRASH_LETTERS";

/// How many wait when nobody says otherwise.
const LETTERS: usize = 1_000;

/// How often the server is killed while they are queued, and again while they are delivered.
const KILLS: usize = 3;

/// How many people write at once.
const WRITERS: usize = 32;

/// How many notifications the server delivers before it notes that it has: so many come again
/// after a kill, at most.
const TOGETHER: usize = 16;

/// A gateway that was away is tried again within this, and the rest takes its time too.
const PATIENCE: Duration = Duration::from_secs(300);

pub(crate) async fn survives(engine: Engine) {
    let letters = letters();
    let gateway = Gateway::open().await;
    let mut chance = Chance::new();
    let keys = [("push.allow_private_addresses", "true")];
    let mut server = TestServer::start_program(program().as_ref(), engine, &keys).await;
    let (alice, bob, room) = people(&server, &gateway).await;
    let (alice, room) = (Arc::new(alice), Arc::new(room));

    let said = Arc::new(AtomicUsize::new(0));
    let mut writers = JoinSet::new();
    let next = Arc::new(AtomicUsize::new(0));
    for _ in 0..WRITERS {
        let (alice, room) = (Arc::clone(&alice), Arc::clone(&room));
        let (next, said) = (Arc::clone(&next), Arc::clone(&said));
        writers.spawn(async move { write(&alice, &room, (&next, &said), letters).await });
    }
    for round in 1..=KILLS {
        let enough = letters * round / (KILLS + 1);
        until("so much is said", || said.load(Ordering::SeqCst) >= enough).await;
        chance.pause(200).await;
        server.restart().await;
    }
    let mut acknowledged = HashSet::new();
    while let Some(written) = writers.join_next().await {
        acknowledged.extend(written.unwrap());
    }
    assert_eq!(acknowledged.len(), letters);
    eventually_within(PATIENCE, "everything waits", || async {
        (waiting(&server).await == letters).then_some(())
    })
    .await;
    assert!(gateway.asked() > 0);
    assert_eq!(
        gateway.told(),
        [],
        "it was told something while it was away"
    );
    server.restart().await;
    assert_eq!(waiting(&server).await, letters);

    gateway.comes_back();
    for round in 1..=KILLS {
        let enough = letters * round / (KILLS + 1);
        until("so much is delivered", || gateway.told().len() >= enough).await;
        chance.pause(50).await;
        server.restart().await;
    }
    eventually_within(PATIENCE, "nothing waits any more", || async {
        (waiting(&server).await == 0).then_some(())
    })
    .await;

    let told: Vec<String> = gateway.told().into_iter().map(Option::unwrap).collect();
    let mut seen = HashSet::new();
    let first: Vec<&String> = told.iter().filter(|event| seen.insert(*event)).collect();
    let again = told.len() - first.len();
    assert!(first.iter().all(|event| acknowledged.contains(*event)));
    assert_eq!(first.len(), letters);
    let timeline = timeline(&bob, &room, letters).await;
    assert!(first.iter().copied().eq(&timeline), "out of order");
    assert!(again <= KILLS * TOGETHER, "{again} were told again");
    server.stop().await;
}

/// Who writes, who is told, and where.
async fn people(server: &TestServer, gateway: &Gateway) -> (Client, Client, String) {
    for name in ["alice", "bob"] {
        let typed = format!("{PASSWORD}\n");
        let made = server.command(&["user", "create", name], &typed).await;
        assert!(made.status.success());
    }
    let alice = Client::sign_in(server.address(), "alice", PASSWORD).await;
    let bob = Client::sign_in(server.address(), "bob", PASSWORD).await;
    let body = json!({ "preset": "public_chat" });
    let made = alice.ask("POST", "/_matrix/client/v3/createRoom", &body);
    let room = made.await.unwrap()["room_id"].as_str().unwrap().to_owned();
    let join = format!("/_matrix/client/v3/join/{room}");
    bob.ask("POST", &join, &json!({})).await.unwrap();
    gateway.tell_of(&bob).await;
    (alice, bob, room)
}

/// Says what is left to be said, each until it is acknowledged; gives the ids of the events.
async fn write(
    alice: &Client,
    room: &str,
    (next, said): (&AtomicUsize, &AtomicUsize),
    letters: usize,
) -> Vec<String> {
    let mut events = Vec::new();
    loop {
        let number = next.fetch_add(1, Ordering::SeqCst);
        if number >= letters {
            return events;
        }
        let path = format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/t{number}");
        let body = json!({ "msgtype": "m.text", "body": format!("{number}") });
        let sent = eventually_within(PATIENCE, "it is said", || async {
            alice.ask("PUT", &path, &body).await.ok()
        });
        events.push(sent.await["event_id"].as_str().unwrap().to_owned());
        said.fetch_add(1, Ordering::SeqCst);
    }
}

/// How many notifications wait, as an administrator is told.
async fn waiting(server: &TestServer) -> usize {
    let status = server.command(&["delivery", "status"], "").await;
    let told = String::from_utf8(status.stdout).unwrap();
    let line = told.lines().find(|line| line.starts_with("push: "));
    let words = line.unwrap_or_default().split_whitespace();
    let mut numbers = words.filter_map(|word| word.parse().ok());
    numbers.next().unwrap_or(0)
}

async fn until(claim: &str, holds: impl Fn() -> bool) {
    eventually_within(PATIENCE, claim, || async { holds().then_some(()) }).await;
}

/// The messages of a room, the oldest first.
async fn timeline(bob: &Client, room: &str, count: usize) -> Vec<String> {
    let mut events = Vec::new();
    let mut from = String::new();
    while events.len() < count {
        let path = format!("/_matrix/client/v3/rooms/{room}/messages?dir=b&limit=500{from}");
        let page = bob.ask("GET", &path, &Value::Null).await.unwrap();
        let chunk = page["chunk"].as_array().unwrap().iter();
        let messages = chunk.filter(|event| event["type"] == "m.room.message");
        events.extend(messages.map(|event| event["event_id"].as_str().unwrap().to_owned()));
        from = format!("&from={}", page["end"].as_str().unwrap());
    }
    events.reverse();
    events
}

fn letters() -> usize {
    let given = std::env::var_os(LETTERS_VARIABLE);
    given.map_or(LETTERS, |given| given.to_str().unwrap().parse().unwrap())
}

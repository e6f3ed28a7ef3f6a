//! What leaves the server: it outlives the process, and what is given up is seen on the command line.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use parking_lot::Mutex;
use serde_json::{Value, json};
use testkit::{
    eventually_within,
    server::{Engine, TestServer},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::{printed, program, support::Client};

/// Rests between tries are part of it.
const PATIENCE: Duration = Duration::from_secs(45);

const PASSWORD: &str = "correct horse battery";

/// A push gateway that answers everything with one status.
struct Gateway {
    address: SocketAddr,
    events: Arc<Mutex<Vec<String>>>,
    serving: JoinHandle<()>,
}

impl Gateway {
    async fn open(listener: TcpListener, status: &'static str) -> Self {
        let address = listener.local_addr().unwrap();
        let events: Arc<Mutex<Vec<String>>> = Arc::default();
        let told = Arc::clone(&events);
        let serving = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let event = answer(stream, status).await;
                told.lock().extend(event);
            }
        });
        Self {
            address,
            events,
            serving,
        }
    }

    async fn has(&self, expected: &[String]) {
        eventually_within(PATIENCE, "the gateway is told of all events", || async {
            (self.events.lock().len() >= expected.len()).then_some(())
        })
        .await;
        assert_eq!(*self.events.lock(), expected);
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Reads one request, and gives the event that it tells of.
async fn answer(stream: TcpStream, status: &str) -> Option<String> {
    let mut stream = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}");
    stream.write_all(head.as_bytes()).await.ok()?;
    let body: Value = serde_json::from_slice(&body).ok()?;
    let event = body["notification"]["event_id"].as_str()?;
    Some(event.to_owned())
}

/// Alice, who has a pusher at an address, and Bob, with whom she is in a room.
async fn people(server: &TestServer, gateway: SocketAddr) -> (Client, Client, String) {
    for name in ["alice", "bob"] {
        let made = server.command(&["user", "create", name], PASSWORD).await;
        printed(&made);
    }
    let alice = Client::sign_in(server.address(), "alice", PASSWORD).await;
    let bob = Client::sign_in(server.address(), "bob", PASSWORD).await;
    let room = json!({ "preset": "public_chat" });
    let room = bob
        .ask("POST", "/_matrix/client/v3/createRoom", &room)
        .await;
    let room = room.unwrap()["room_id"].as_str().unwrap().to_owned();
    let join = format!("/_matrix/client/v3/join/{room}");
    alice.ask("POST", &join, &json!({})).await.unwrap();
    let pusher = json!({
        "kind": "http",
        "app_id": "org.example.app",
        "pushkey": "key",
        "app_display_name": "Example",
        "device_display_name": "Phone",
        "lang": "en",
        "data": { "url": format!("http://{gateway}/_matrix/push/v1/notify") },
    });
    let set = "/_matrix/client/v3/pushers/set";
    alice.ask("POST", set, &pusher).await.unwrap();
    (alice, bob, room)
}

async fn say(bob: &Client, room: &str, number: usize) -> String {
    let path = format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/t{number}");
    let content = json!({ "msgtype": "m.text", "body": format!("{number}") });
    let sent = bob.ask("PUT", &path, &content).await.unwrap();
    sent["event_id"].as_str().unwrap().to_owned()
}

async fn server(engine: Engine) -> TestServer {
    let keys = [("push.allow_private_addresses", "true")];
    TestServer::start_program(program(), engine, &keys).await
}

async fn what_waits_outlives_kills(engine: Engine) {
    let mut server = server(engine).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    // Nobody answers there.
    drop(listener);
    let (_alice, bob, room) = people(&server, address).await;
    let mut said = Vec::new();
    for life in 0..3 {
        for number in 0..60 {
            said.push(say(&bob, &room, life * 60 + number).await);
        }
        server.kill().await;
        server.restart().await;
    }
    let status = printed(&server.command(&["delivery", "status"], "").await);
    assert!(status.starts_with("push: "), "{status}");
    let gateway = Gateway::open(TcpListener::bind(address).await.unwrap(), "200 OK").await;
    gateway.has(&said).await;
    server.stop().await;
}

#[tokio::test]
async fn what_waits_outlives_kills_on_sqlite() {
    what_waits_outlives_kills(Engine::Sqlite).await;
}

#[tokio::test]
async fn what_waits_outlives_kills_on_postgres() {
    what_waits_outlives_kills(Engine::Postgres).await;
}

#[tokio::test]
async fn what_was_given_up_is_listed_tried_again_and_forgotten() {
    let mut server = server(Engine::Sqlite).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gateway = Gateway::open(listener, "400 Bad Request").await;
    let (_alice, bob, room) = people(&server, gateway.address).await;
    assert_eq!(
        printed(&server.command(&["delivery", "dead"], "").await),
        ""
    );
    let event = say(&bob, &room, 1).await;
    gateway.has(std::slice::from_ref(&event)).await;
    let dead = eventually_within(PATIENCE, "a letter is dead", || async {
        let dead = printed(&server.command(&["delivery", "dead"], "").await);
        (!dead.is_empty()).then_some(dead)
    })
    .await;
    assert!(dead.contains(" push "), "{dead}");
    assert!(dead.contains("400"), "{dead}");
    let status = printed(&server.command(&["delivery", "status"], "").await);
    let expected = "push: 0 waiting for 0 targets (0 failing), 1 given up\n";
    assert_eq!(status, expected);
    let replay = ["delivery", "replay", "push"];
    let replayed = printed(&server.command(&replay, "").await);
    assert_eq!(replayed, "tried again: 1\n");
    gateway.has(&[event.clone(), event]).await;
    let forget = ["delivery", "forget", "push", "--target", "0"];
    let forgotten = printed(&server.command(&forget, "").await);
    assert_eq!(forgotten, "forgotten: 0\n");
    server.stop().await;
    // Without a server, too.
    let forgotten = printed(&server.command(&["delivery", "forget", "push"], "").await);
    assert_eq!(forgotten, "forgotten: 1\n");
    assert_eq!(
        printed(&server.command(&["delivery", "dead"], "").await),
        ""
    );
}

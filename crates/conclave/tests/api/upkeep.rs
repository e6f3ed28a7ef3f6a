//! What a running server does by itself as time passes.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use conclave::{Node, Surroundings};
use serde_json::{Value, json};
use testkit::{clock::FakeClock, eventually};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::{
    http::{configuration, head, read_answer},
    people::register,
};

const HOUR: Duration = Duration::from_secs(3_600);

async fn ask(address: SocketAddr, token: &str, method: &str, path: &str, body: Value) -> Value {
    let body = body.to_string();
    let more = format!(
        "Authorization: Bearer {token}\r\nContent-Length: {}\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = head(method, &format!("/_matrix/client/v3/{path}"), &more) + &body;
    stream.write_all(request.as_bytes()).await.unwrap();
    let answer = read_answer(stream).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

#[tokio::test]
async fn a_server_forgets_old_transactions_by_itself_and_stops_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let open = "[registration]\nmode = \"open\"\n[rate_limits]\nenabled = false\n";
    let loaded = configuration(folder.path(), open);
    let clock = FakeClock::default();
    let surroundings = Surroundings {
        clock: Arc::new(clock.clone()),
        ..Surroundings::of_this_machine()
    };
    let node = Node::start(&loaded, surroundings).await.unwrap();
    let address = node.addresses()[0];
    let alice = register(address, "alice").await;
    let room = ask(address, &alice, "POST", "createRoom", json!({})).await;
    let path = format!(
        "rooms/{}/send/org.example/1",
        room["room_id"].as_str().unwrap()
    );
    let send = async || ask(address, &alice, "PUT", &path, json!({})).await["event_id"].clone();
    let first = send().await;
    clock.advance(HOUR);
    assert_eq!(send().await, first);
    clock.advance(8 * 24 * HOUR);
    eventually("the transaction is forgotten", async || {
        // Whoever looked for old ones just before the move looks again.
        clock.advance(HOUR);
        (send().await != first).then_some(())
    })
    .await;
    node.stop().await;
}

#[tokio::test]
async fn a_server_sends_what_was_scheduled_by_itself_also_after_it_was_down() {
    let folder = tempfile::tempdir().unwrap();
    let open = "[registration]\nmode = \"open\"\n";
    let loaded = configuration(folder.path(), open);
    let clock = FakeClock::default();
    let start = async || {
        let surroundings = Surroundings {
            clock: Arc::new(clock.clone()),
            ..Surroundings::of_this_machine()
        };
        Node::start(&loaded, surroundings).await.unwrap()
    };
    let node = start().await;
    let address = node.addresses()[0];
    let alice = register(address, "alice").await;
    let room = ask(address, &alice, "POST", "createRoom", json!({})).await;
    let room = room["room_id"].as_str().unwrap();
    for seconds in [5, 60] {
        let delay = format!("org.matrix.msc4140.delay={}", seconds * 1_000);
        let path = format!("rooms/{room}/send/org.example.after/{seconds}?{delay}");
        let content = json!({ "seconds": seconds });
        let scheduled = ask(address, &alice, "PUT", &path, content).await;
        assert!(scheduled["delay_id"].is_string(), "{scheduled}");
    }
    let path = format!("rooms/{room}/messages?dir=b&limit=1");
    let is_last = async |address, seconds: u64| {
        let page = ask(address, &alice, "GET", &path, Value::Null).await;
        (page["chunk"][0]["content"]["seconds"] == seconds).then_some(())
    };
    clock.advance(Duration::from_secs(5));
    eventually("the first is sent", async || is_last(address, 5).await).await;
    node.stop().await;
    clock.advance(HOUR);
    let node = start().await;
    let address = node.addresses()[0];
    eventually("the second is sent", async || is_last(address, 60).await).await;
    node.stop().await;
}

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

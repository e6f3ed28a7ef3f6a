//! Stopping lets what is under way come to its end.

use std::time::Duration;

use conclave::{Node, Surroundings};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{
    http::{configuration, get_as, head, node, read_answer},
    people::register,
};

#[tokio::test]
async fn a_waiting_sync_is_answered_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let loaded = configuration(folder.path(), "[registration]\nmode = \"open\"\n");
    let node = Node::start(&loaded, Surroundings::of_this_machine()).await;
    let node = node.unwrap();
    let address = node.addresses()[0];
    let token = register(address, "alice").await;
    let sync = async move |parameters: &str| {
        let path = format!("/_matrix/client/v3/sync?{parameters}");
        let answer = get_as(address, &token, &path).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        body["next_batch"].as_str().unwrap().to_owned()
    };
    // The second answer has the presence that the first one caused.
    let first = sync("timeout=0").await;
    let since = sync(&format!("since={first}&timeout=0")).await;
    let waiting = async move { sync(&format!("since={since}&timeout=60000")).await };
    let mut waiting = tokio::spawn(waiting);
    let early = timeout(Duration::from_millis(300), &mut waiting).await;
    assert!(early.is_err(), "it waits");
    let stopped = async { timeout(Duration::from_secs(5), node.stop()).await };
    let (stopped, answered) = tokio::join!(stopped, waiting);
    assert!(stopped.is_ok(), "it stops without waiting for the sync");
    assert!(!answered.unwrap().is_empty());
}

#[tokio::test]
async fn a_request_that_has_begun_is_finished() {
    let folder = tempfile::tempdir().unwrap();
    let node = node(folder.path()).await;
    let body = r#"{"type":"m.login.password","user":"nobody","password":"wrong horse"}"#;
    let more = format!(
        "Expect: 100-continue\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(node.addresses()[0]).await.unwrap();
    let request = head("POST", "/_matrix/client/v3/login", &more);
    stream.write_all(request.as_bytes()).await.unwrap();
    // The server says so when it begins to read the body.
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).await.unwrap();
    assert!(go_on.starts_with(b"HTTP/1.1 100"));

    let mut stopping = tokio::spawn(node.stop());
    let early = timeout(Duration::from_millis(100), &mut stopping).await;
    assert!(early.is_err(), "it waits for the request");
    stream.write_all(body.as_bytes()).await.unwrap();
    let answer = read_answer(stream).await;
    assert_eq!(answer.status, 403, "{}", answer.body);
    stopping.await.unwrap();
}

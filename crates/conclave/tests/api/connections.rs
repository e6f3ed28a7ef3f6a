//! Connections that are not well-behaved.

use std::time::{Duration, Instant};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::http::{get, node};

#[tokio::test]
async fn a_head_beyond_all_measure_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let node = node(folder.path()).await;
    let mut stream = TcpStream::connect(node.addresses()[0]).await.unwrap();
    let header = format!("X-Padding: {}\r\n", "x".repeat(100 * 1024));
    let head = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{header}\r\n");
    // The server answers and closes before it has read all.
    let _ = stream.write_all(head.as_bytes()).await;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 431");
    node.stop().await;
}

#[tokio::test]
async fn what_is_not_http_is_not_answered_for_long() {
    let folder = tempfile::tempdir().unwrap();
    let node = node(folder.path()).await;
    let mut stream = TcpStream::connect(node.addresses()[0]).await.unwrap();
    stream.write_all(b"\0\0\0 what?\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 400"));
    node.stop().await;
}

#[tokio::test]
async fn http_2_is_spoken_too() {
    let folder = tempfile::tempdir().unwrap();
    let node = node(folder.path()).await;
    let mut stream = TcpStream::connect(node.addresses()[0]).await.unwrap();
    let empty_settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .unwrap();
    stream.write_all(&empty_settings).await.unwrap();
    let mut frame = [0; 9];
    stream.read_exact(&mut frame).await.unwrap();
    assert_eq!(frame[3], 4, "the server's settings come first");
    node.stop().await;
}

#[tokio::test]
async fn open_connections_do_not_hold_up_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let node = node(folder.path()).await;
    let address = node.addresses()[0];
    assert_eq!(get(address, "/_conclave/health/live").await.status, 200);
    let mut half = TcpStream::connect(address).await.unwrap();
    half.write_all(b"GET / HT").await.unwrap();
    let silent = TcpStream::connect(address).await.unwrap();
    #[expect(clippy::disallowed_methods, reason = "how long it really takes")]
    let began = Instant::now();
    node.stop().await;
    assert!(began.elapsed() < Duration::from_secs(5));
    drop((half, silent));
}

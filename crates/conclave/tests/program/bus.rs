//! NATS as an operator sees it: in the log and in the metrics.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use testkit::{
    eventually_within,
    server::{Engine, TestServer},
    servers::Nats,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{printed, program, refusal, server};

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap()
}

async fn assert_metrics_say(address: SocketAddr, line: &str) {
    eventually_within(PATIENCE, line, || async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        let ask = b"GET /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
        stream.write_all(ask).await.ok()?;
        let mut page = String::new();
        stream.read_to_string(&mut page).await.ok()?;
        page.lines().any(|found| found == line).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_metrics_tell_whether_nats_is_there_and_nothing_tells_its_password() {
    let mut nats = Nats::start_with(&["--user", "me", "--pass", "s3cret"]).unwrap();
    nats.stop().unwrap();
    let address = nats.url().strip_prefix("nats://").unwrap().to_owned();
    let metrics = free_address();
    let keys = [
        ("bus.url", &*format!("nats://me:s3cret@{address}")),
        ("metrics.listen", &metrics.to_string()),
        ("log.level", "trace"),
    ];
    // It starts, and is ready, without NATS.
    let mut server = TestServer::start_program(program(), Engine::Sqlite, &keys).await;
    assert_metrics_say(metrics, "conclave_bus_connected 0").await;
    assert!(server.output().contains("NATS cannot be reached"));
    nats.restart().unwrap();
    assert_metrics_say(metrics, "conclave_bus_connected 1").await;
    nats.stop().unwrap();
    assert_metrics_say(metrics, "conclave_bus_connected 0").await;
    nats.restart().unwrap();
    assert_metrics_say(metrics, "conclave_bus_connects_total 2").await;
    let listing = printed(&server.command(&["config", "check"], "").await);
    assert!(listing.contains("me:********@"), "{listing}");
    server.stop().await;
    let output = server.output();
    assert!(output.contains("connected to NATS"), "{output}");
    assert!(!output.contains("s3cret"));
}

#[tokio::test]
async fn a_url_that_is_no_nats_is_refused_without_showing_it() {
    let mut server = server(Engine::Sqlite).await;
    server.set("bus.url", "nats://me:s3cret@host/subject");
    let sentence = refusal(&server.command(&["config", "check"], "").await);
    assert!(sentence.contains("%2F"), "{sentence}");
    assert!(!sentence.contains("s3cret"), "{sentence}");
}

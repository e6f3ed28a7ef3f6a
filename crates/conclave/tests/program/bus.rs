//! NATS as an operator sees it: in the log and in the metrics.

use testkit::{
    server::{Engine, TestServer},
    servers::Nats,
};

use crate::{
    metrics::{assert_metrics_say, free_address},
    printed, program, refusal, server,
};

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

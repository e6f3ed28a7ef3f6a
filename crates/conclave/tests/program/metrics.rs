//! The metrics of running programs: how they are read, and that a node tells how it stands with the
//! log.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    time::Duration,
};

use testkit::{
    eventually_within,
    server::{Engine, TestServer},
    servers::Postgres,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_postgres::NoTls;

use crate::{printed, program};

const PATIENCE: Duration = Duration::from_secs(20);

const KEY: &str = "conclave-master-key-1:QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=";

pub(crate) fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap()
}

/// All that a server measures, if it answers.
async fn page(address: SocketAddr) -> Option<String> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let ask = b"GET /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
    stream.write_all(ask).await.ok()?;
    let mut page = String::new();
    stream.read_to_string(&mut page).await.ok()?;
    Some(page)
}

pub(crate) async fn assert_metrics_say(address: SocketAddr, line: &str) {
    eventually_within(PATIENCE, line, || async {
        let page = page(address).await?;
        page.lines().any(|found| found == line).then_some(())
    })
    .await;
}

async fn value(address: SocketAddr, metric: &str) -> Option<f64> {
    let page = page(address).await?;
    let mut values = page.lines().filter_map(|line| line.split_once(' '));
    let (_, value) = values.find(|(name, _)| *name == metric)?;
    value.parse().ok()
}

/// Waits until a number is as it should be.
async fn becomes(address: SocketAddr, metric: &str, wanted: impl Fn(f64) -> bool) -> f64 {
    eventually_within(PATIENCE, metric, || async {
        let value = value(address, metric).await?;
        wanted(value).then_some(value)
    })
    .await
}

const POSITION: &str = "conclave_store_log_position";
const LAG: &str = "conclave_store_log_lag_seconds";
const QUEUE: &str = "conclave_store_queue_intents";

#[tokio::test]
async fn each_of_two_nodes_tells_how_far_it_has_followed_the_other() {
    let mut postgres = Postgres::start().unwrap();
    let url = postgres.url();
    let metrics = [free_address(), free_address()];
    let mut nodes = Vec::new();
    for address in metrics {
        let keys = [
            ("database.url", &*url),
            ("seal.key", KEY),
            ("metrics.listen", &address.to_string()),
        ];
        nodes.push(TestServer::start_program(program(), Engine::Sqlite, &keys).await);
    }
    let [one, two] = metrics;
    let before = becomes(two, POSITION, |position| position > 0.0).await;
    let create = ["user", "create", "alice"];
    printed(&nodes[0].command(&create, "correct horse\n").await);
    let position = becomes(one, POSITION, |position| position > before).await;
    // Nobody tells the other one: it looks by itself.
    becomes(two, POSITION, |followed| followed >= position).await;
    becomes(two, LAG, |lag| lag < 1.0).await;
    postgres.stop().unwrap();
    becomes(two, LAG, |lag| lag > 1.5).await;
    postgres.restart().unwrap();
    becomes(two, LAG, |lag| lag < 1.0).await;
}

#[tokio::test]
async fn what_waits_to_be_committed_is_counted() {
    let postgres = Postgres::start().unwrap();
    let url = postgres.url();
    let metrics = free_address();
    let keys = [
        ("database.url", &*url),
        ("metrics.listen", &metrics.to_string()),
    ];
    let node = TestServer::start_program(program(), Engine::Sqlite, &keys).await;
    becomes(metrics, QUEUE, |waiting| waiting == 0.0).await;
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    let lock = "BEGIN; SELECT log_id FROM log_lock WHERE log_id = 1 FOR UPDATE";
    client.batch_execute(lock).await.unwrap();
    let create = ["user", "create", "alice"];
    let creating = node.command(&create, "correct horse\n");
    let counting = async {
        becomes(metrics, QUEUE, |waiting| waiting >= 1.0).await;
        client.batch_execute("ROLLBACK").await.unwrap();
    };
    let (created, ()) = tokio::join!(creating, counting);
    printed(&created);
    becomes(metrics, QUEUE, |waiting| waiting == 0.0).await;
    connection.abort();
}

/// Nobody else writes to its file.
#[tokio::test]
async fn an_embedded_server_is_never_behind() {
    let metrics = free_address();
    let keys = [("metrics.listen", &*metrics.to_string())];
    let _server = TestServer::start_program(program(), Engine::Sqlite, &keys).await;
    becomes(metrics, POSITION, |position| position > 0.0).await;
    assert_eq!(value(metrics, LAG).await, Some(0.0));
}

//! Throw-away servers come up, obey, and leave nothing behind.

use std::net::TcpStream;

use testkit::{
    postgres::database,
    servers::{Nats, Postgres},
};
use tokio_postgres::NoTls;

async fn ask(url: &str, question: &str) -> Result<String, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    let driver = tokio::spawn(connection);
    let row = client.query_one(question, &[]).await;
    drop(client);
    let _ = driver.await;
    row?.try_get(0)
}

async fn tables(url: &str) -> String {
    let count =
        "SELECT count(*)::TEXT FROM information_schema.tables WHERE table_schema = 'public'";
    ask(url, count).await.expect("the database is there")
}

#[tokio::test]
async fn a_cluster_syncs_to_disk_survives_a_crash_and_leaves_nothing_behind() {
    let mut cluster = Postgres::start().unwrap();
    let url = cluster.url();
    assert_eq!(ask(&url, "SHOW fsync").await.unwrap(), "on");
    ask(&url, "SELECT set_config('x.y', 'z', false)")
        .await
        .unwrap();

    cluster.crash().unwrap();
    assert!(ask(&url, "SELECT 'up'").await.is_err());
    assert!(cluster.data_dir().join("PG_VERSION").is_file());
    cluster.restart().unwrap();
    assert_eq!(ask(&url, "SELECT 'up'").await.unwrap(), "up");

    cluster.kill().unwrap();
    assert!(ask(&url, "SELECT 'up'").await.is_err());
    cluster.restart().unwrap();
    assert_eq!(ask(&url, "SELECT 'up'").await.unwrap(), "up");

    cluster.stop().unwrap();
    let data_dir = cluster.data_dir();
    assert!(!data_dir.join("postmaster.pid").exists());
    cluster.restart().unwrap();
    drop(cluster);
    assert!(!data_dir.parent().unwrap().exists());
    assert!(ask(&url, "SELECT 'up'").await.is_err());
}

#[tokio::test]
async fn a_server_makes_databases_by_name_and_each_name_once() {
    let mut cluster = Postgres::start().unwrap();
    let url = cluster.create_database("bench").unwrap();
    let form = "SELECT current_database() || ' ' || datcollate || ' ' || datctype || ' ' ||
        pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database()";
    assert_eq!(ask(&url, form).await.unwrap(), "bench C C UTF8");
    assert!(cluster.create_database("bench").is_err());
}

#[tokio::test]
async fn each_test_has_a_database_of_its_own() {
    let (one, other) = tokio::join!(database(), database());
    assert_ne!(one.url, other.url);
    let (client, connection) = tokio_postgres::connect(&one.url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
        .batch_execute("CREATE TABLE t (x INT)")
        .await
        .unwrap();
    assert_eq!(tables(&one.url).await, "1");
    assert_eq!(tables(&other.url).await, "0");
}

#[test]
fn a_nats_server_greets_and_keeps_its_port_when_started_again() {
    let mut nats = Nats::start().unwrap();
    let address = nats.url().strip_prefix("nats://").unwrap().to_owned();
    assert_eq!(greeting(&address).as_deref(), Some("INFO"));
    nats.stop().unwrap();
    assert_eq!(greeting(&address), None);
    nats.restart().unwrap();
    assert_eq!(greeting(&address).as_deref(), Some("INFO"));
    drop(nats);
    assert_eq!(greeting(&address), None);
}

fn greeting(address: &str) -> Option<String> {
    use std::io::Read as _;
    let mut first = [0; 4];
    TcpStream::connect(address)
        .ok()?
        .read_exact(&mut first)
        .ok()?;
    Some(String::from_utf8_lossy(&first).into_owned())
}

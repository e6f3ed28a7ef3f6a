//! Deployments of which nothing is to be said but that they are well.

use serde_json::Value;
use testkit::{
    s3::{ACCESS_KEY_ID, S3Server, SECRET_ACCESS_KEY},
    server::{Engine, TestServer},
    servers::Nats,
};
use tokio_postgres::NoTls;

use super::{Report, examine, examine_with, use_it};
use crate::{printed, program, server};

#[tokio::test]
async fn an_embedded_server_is_well_while_it_runs_and_when_it_does_not() {
    let mut server = server(Engine::Sqlite).await;
    use_it(&server).await;
    let report = examine(&server).await;
    report
        .warns_only(&[])
        .says("ok       server: one runs on ", "(process ")
        .says(
            "ok       open files: the running server may have ",
            "connections",
        )
        .says("ok       database file: ", "write-ahead log")
        .says("ok       deployment: it is that of localhost", "")
        .says(
            "ok       clock: the newest change in the log is not from",
            "",
        )
        .says("ok       master key: ", "opens this database")
        .says("ok       bus: none is needed", "")
        .says("ok       files: what is written to ", "is read back")
        .says("ok       public address: http://localhost:", "names itself");
    server.stop().await;
    let report = examine(&server).await;
    report
        .warns_only(&[])
        .says("ok       server: none runs on ", "")
        .says("ok       database pages: they were not looked through", "")
        .says("ok       public address: ", "as no server runs here");
    let report = examine_with(&server, &["--thorough"]).await;
    report.warns_only(&[]).says(
        "ok       database pages: all of them were looked through",
        "",
    );
}

/// After a crash the log is still beside the database, and its newest changes are in there alone.
#[tokio::test]
async fn a_server_that_was_killed_is_well() {
    let mut server = server(Engine::Sqlite).await;
    use_it(&server).await;
    server.kill().await;
    let report = examine_with(&server, &["--thorough"]).await;
    report
        .warns_only(&[])
        .says("ok       server: none runs on ", "")
        .says("ok       master key: ", "opens this database");
}

#[tokio::test]
async fn a_place_where_no_server_ever_ran_is_well_and_stays_empty() {
    let server = TestServer::prepare_program(program(), Engine::Sqlite, &[]).await;
    let report = examine(&server).await;
    report
        .warns_only(&["data directory: "])
        .says(
            "ok       database: there is none at ",
            "the first start makes it",
        )
        .says("ok       master key: there is none yet", "")
        .says("ok       files: ", "is not there yet");
    assert!(!server.data_dir().exists());
}

#[tokio::test]
async fn a_node_of_a_cluster_is_well_and_no_secret_is_told() {
    let nats = Nats::start_with(&["--user", "me", "--pass", "nats-s3cret"]).unwrap();
    let bus = nats.url().replace("nats://", "nats://me:nats-s3cret@");
    let s3 = S3Server::start().await;
    let keys = [
        ("bus.url", &*bus),
        ("files.url", &s3.url()),
        ("files.access_key_id", ACCESS_KEY_ID),
        ("files.secret_access_key", SECRET_ACCESS_KEY),
    ];
    let mut server = TestServer::start_program(program(), Engine::Postgres, &keys).await;
    use_it(&server).await;
    let well = |report: Report| {
        report
            .warns_only(&[])
            .says("ok       database settings: PostgreSQL ", "fsync = on")
            .says("ok       database writes: ", "possible")
            .says("ok       database sessions: ", "nodes fit")
            .says("ok       database standbys: ", "none")
            .says("ok       database round trip: ", "ms")
            .says("ok       clock: ", "database server")
            .says("ok       master key: ", "opens this database")
            .says("ok       bus: what is said at 127.0.0.1:", "is heard again")
            .says(
                "ok       files: what is written to the bucket files at ",
                "removed",
            )
            .hides("nats-s3cret")
            .hides(SECRET_ACCESS_KEY);
    };
    well(examine(&server).await);
    server.stop().await;
    let url = server.database_url().unwrap();
    let (rows, objects) = (everything_in(url).await, s3.objects());
    well(examine(&server).await);
    assert_eq!(everything_in(url).await, rows);
    assert_eq!(s3.objects(), objects);
}

/// The names of all tables, with all that stands in them.
async fn everything_in(url: &str) -> Vec<String> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    let tables = "SELECT CAST(table_name AS TEXT) FROM information_schema.tables \
         WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1";
    let mut all = Vec::new();
    for table in client.query(tables, &[]).await.unwrap() {
        let table: String = table.get(0);
        let rows = format!("SELECT CAST(t AS TEXT) FROM {table} t ORDER BY 1");
        all.push(table);
        let rows = client.query(&rows, &[]).await.unwrap();
        all.extend(rows.iter().map(|row| row.get::<_, String>(0)));
    }
    drop(client);
    connection.await.unwrap().unwrap();
    all
}

#[tokio::test]
async fn the_report_is_one_json_object_for_programs() {
    let server = TestServer::prepare_program(program(), Engine::Sqlite, &[]).await;
    let told = printed(&server.command(&["doctor", "--json"], "").await);
    let report: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(report["verdict"], "warning");
    let checks = report["checks"].as_array().unwrap();
    let find = |check: &str| checks.iter().find(|found| found["check"] == check).unwrap();
    assert_eq!(find("data directory")["verdict"], "warning");
    let key = find("master key");
    assert_eq!(key["verdict"], "ok");
    assert_eq!(key["says"], "there is none yet: the first start makes it");
}

#[tokio::test]
async fn what_it_does_not_know_is_wrong_usage() {
    let server = TestServer::prepare_program(program(), Engine::Sqlite, &[]).await;
    let output = server.command(&["doctor", "--heal"], "").await;
    assert_eq!(output.status.code(), Some(2));
}

//! PostgreSQL that is away, refuses, or is not set up as it should be.

use std::fs;

use testkit::{
    eventually,
    server::{Engine, TestServer},
    servers::Postgres,
};
use tokio_postgres::NoTls;

use super::{Report, examine, use_it};
use crate::program;

async fn run_sql(url: &str, sql: &str) {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap();
    drop(client);
    connection.await.unwrap().unwrap();
}

/// A place for a node whose database is there.
async fn at(url: &str) -> TestServer {
    let keys = [("database.url", url)];
    TestServer::prepare_program(program(), Engine::Sqlite, &keys).await
}

async fn of(url: &str) -> Report {
    examine(&at(url).await).await
}

#[tokio::test]
async fn one_that_is_stopped_is_named_and_the_rest_is_looked_at() {
    let mut postgres = Postgres::start().unwrap();
    let mut server = at(&postgres.url()).await;
    server.restart().await;
    use_it(&server).await;
    server.stop().await;
    postgres.stop().unwrap();
    let report = examine(&server).await;
    report
        .is_wrong(1)
        .says(
            "wrong    database: the database at postgres://",
            "check that PostgreSQL runs",
        )
        .says("ok       master key: ", "cannot be told")
        .says("ok       files: ", "is read back");
}

/// What is said once PostgreSQL has read its rules again.
async fn refused(url: &str) -> Report {
    eventually("the new rules are obeyed", || async {
        let report = of(url).await;
        let is_refused = report.lines.iter().any(|line| line.contains("password"));
        is_refused.then_some(report)
    })
    .await
}

#[tokio::test]
async fn a_wrong_password_is_told_and_not_shown() {
    let postgres = Postgres::start().unwrap();
    run_sql(&postgres.url(), "CREATE ROLE me LOGIN PASSWORD 'right'").await;
    let rules = postgres.data_dir().join("pg_hba.conf");
    let before = fs::read_to_string(&rules).unwrap();
    fs::write(
        &rules,
        format!("host all me 127.0.0.1/32 scram-sha-256\n{before}"),
    )
    .unwrap();
    run_sql(&postgres.url(), "SELECT pg_reload_conf()").await;
    let url = postgres.url().replace("postgres@", "me:s3cret@");
    let report = refused(&url).await;
    report
        .is_wrong(1)
        .says(
            "wrong    database: ",
            "password authentication failed for user \"me\"",
        )
        .hides("s3cret");
}

#[tokio::test]
async fn hosts_are_told_apart_and_an_asynchronous_standby_is_warned_of() {
    let primary = Postgres::start().unwrap();
    let standby = Postgres::start_standby(&primary).unwrap();
    let host = |postgres: &Postgres| {
        let url = postgres.url();
        let (_, host) = url.split_once('@').unwrap();
        host.split('/').next().unwrap().to_owned()
    };
    let (one, two) = (host(&primary), host(&standby));
    let url = format!("postgres://postgres@127.0.0.1:1,{two},{one}/postgres");
    let report = of(&url).await;
    report
        .warns_only(&[
            "data directory: ",
            "database host: ",
            "database standbys: ",
            "bus: ",
        ])
        .says("warning  database host: 127.0.0.1:1 does not answer", "")
        .says(&format!("ok       database host: {two} is a standby"), "")
        .says(&format!("ok       database host: {one} takes writes"), "")
        .says(
            "warning  database standbys: none of ",
            "synchronous_standby_names",
        )
        .says("warning  bus: bus.url is not set", "");
}

#[tokio::test]
async fn one_that_nodes_cannot_work_with_is_told_with_the_setting() {
    let mut postgres = Postgres::start().unwrap();
    let url = postgres.url();
    let (server, _) = url.rsplit_once('/').unwrap();
    let chat = format!("{server}/chat");
    run_sql(
        &url,
        "CREATE DATABASE chat ENCODING 'UTF8' TEMPLATE template0",
    )
    .await;
    run_sql(&url, "CREATE ROLE reader LOGIN CONNECTION LIMIT 20").await;
    run_sql(
        &url,
        "ALTER ROLE reader SET default_transaction_read_only = on",
    )
    .await;
    let report = of(&chat.replace("postgres@", "reader@")).await;
    // The library takes a server whose transactions write nothing for no primary.
    report
        .is_wrong(1)
        .says("wrong    database: ", "does not allow writes");
    run_sql(
        &url,
        "ALTER ROLE reader RESET default_transaction_read_only",
    )
    .await;
    let report = of(&chat.replace("postgres@", "reader@")).await;
    report
        .is_wrong(1)
        .says("wrong    database writes: ", "may make no tables")
        .says(
            "warning  database sessions: ",
            "; one fits: raise max_connections",
        );
    run_sql(&url, "ALTER SYSTEM SET fsync = off").await;
    postgres.stop().unwrap();
    postgres.restart().unwrap();
    let report = of(&chat).await;
    report
        .is_wrong(1)
        .says("wrong    database settings: ", "fsync = on");
}

//! Opening: schemas, whose database it is, and what is refused.

use std::error::Error;

use store::{Database, LocalWrite, Migration, Migrations, StoreError};
use testkit::{eventually, servers::Postgres};
use tokio_postgres::NoTls;

use crate::support::{
    Db,
    cells::{self, Act},
};

fn refused(opened: Result<Database, StoreError>) -> String {
    match opened {
        Ok(_) => panic!("it was opened"),
        Err(StoreError::Refused(sentence)) => sentence,
        Err(error) => panic!("{error}: {:?}", error.source()),
    }
}

conformance! {
    async fn opening_again_changes_nothing(db: Db) {
        let node = db.node().await;
        node.act(1, Act::Set(1)).await.unwrap();
        node.log.stop().await;
        let again = db.node().await;
        assert_eq!(again.stored(1).await, Some(1));
        assert_eq!(again.act(1, Act::Add(1)).await.unwrap(), 2);
        let rows = again.database().query("SELECT owner FROM schema_migrations", &[]).await;
        assert_eq!(rows.unwrap().len(), 3);
    }

    async fn two_nodes_may_open_a_new_database_at_once(db: Db) {
        if db.is_postgres() {
            let opened = tokio::join!(
                Database::open(db.options()),
                Database::open(db.options()),
                Database::open(db.options())
            );
            assert!(opened.0.is_ok() && opened.1.is_ok() && opened.2.is_ok());
        }
    }

    async fn a_newer_schema_is_refused(db: Db) {
        let node = db.node().await;
        let newer = "INSERT INTO schema_migrations (owner, number, name) VALUES ('cells', 2, 'x')";
        node.log.write_local(LocalWrite::new().and(newer, vec![])).await.unwrap();
        node.log.stop().await;
        let sentence = refused(Database::open(db.options()).await);
        assert!(sentence.contains("newer than this program"), "{sentence}");
    }

    async fn an_owner_that_this_program_does_not_know_is_refused(db: Db) {
        db.node().await.log.stop().await;
        let mut options = db.options();
        options.migrations.clear();
        let sentence = refused(Database::open(options).await);
        assert!(sentence.contains("cells"), "{sentence}");
    }

    /// Another deployment's schema is not brought up to date on the way.
    async fn another_servers_database_is_refused_and_left_as_it_was(db: Db) {
        db.node().await.log.stop().await;
        let mut options = db.options();
        options.server_name = "example.com".to_owned();
        options.migrations.push(Migrations {
            owner: "later",
            steps: &[Migration {
                number: 1,
                name: "later",
                sql: "CREATE TABLE later (id BIGINT NOT NULL PRIMARY KEY)",
            }],
        });
        let sentence = refused(Database::open(options).await);
        assert!(sentence.contains("example.org") && sentence.contains("example.com"), "{sentence}");
        let database = Database::open(db.options()).await.unwrap();
        assert!(database.query("SELECT id FROM later", &[]).await.is_err());
    }

    /// Whoever runs the database may have it acknowledge before it flushes; this server does not.
    async fn a_weaker_setting_of_the_database_does_not_weaken_a_commit(db: Db) {
        if let store::Location::Postgres(url) = &db.location {
            let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
            tokio::spawn(connection);
            let name = url.rsplit('/').next().unwrap();
            let weaken = format!("ALTER DATABASE {name} SET synchronous_commit = off");
            client.batch_execute(&weaken).await.unwrap();
            let database = Database::open(db.options()).await.unwrap();
            let rows = database.query("SELECT current_setting('synchronous_commit')", &[]).await;
            assert_eq!(rows.unwrap()[0].text(0).unwrap(), "on");
        }
    }

    async fn a_step_that_fails_leaves_no_part_of_the_schema(db: Db) {
        let mut options = db.options();
        options.migrations.push(Migrations {
            owner: "broken",
            steps: &[Migration {
                number: 1,
                name: "broken",
                sql: "CREATE TABLE half (id BIGINT); CREATE TABLE half (id BIGINT)",
            }],
        });
        assert!(Database::open(options).await.is_err());
        let database = Database::open(db.options()).await.unwrap();
        assert!(database.query("SELECT id FROM half", &[]).await.is_err());
        assert_eq!(database.fact("server_name").await.unwrap().as_deref(), Some("example.org"));
        assert_eq!(cells::MIGRATIONS.owner, "cells");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_that_does_not_flush_is_refused() {
    let server = tokio::task::spawn_blocking(|| Postgres::start().unwrap());
    let server = server.await.unwrap();
    let (client, connection) = tokio_postgres::connect(&server.url(), NoTls).await.unwrap();
    let driver = tokio::spawn(connection);
    client
        .batch_execute("ALTER SYSTEM SET fsync = off")
        .await
        .unwrap();
    client
        .batch_execute("SELECT pg_reload_conf()")
        .await
        .unwrap();
    let options = || store::DatabaseOptions {
        location: store::Location::Postgres(server.url()),
        server_name: "example.org".to_owned(),
        migrations: vec![],
        readers: 1,
    };
    // The server reads its configuration in its own time.
    let sentence = eventually("the server is refused", || async {
        match Database::open(options()).await {
            Err(StoreError::Refused(sentence)) => Some(sentence),
            _ => None,
        }
    })
    .await;
    assert!(sentence.contains("fsync"), "{sentence}");
    drop(client);
    drop(driver.await);
    drop(tokio::task::spawn_blocking(move || drop(server)).await);
}

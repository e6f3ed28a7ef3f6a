//! PostgreSQL over TLS as an operator meets it: in a URL, and in sentences.

use testkit::{
    authority::Authority,
    server::{Engine, TestServer},
    servers::{Postgres, PostgresTls},
};

use crate::{printed, program, refusal};

/// Nobody is let in who does not come over TLS with their password.
const RULES: &str = "hostssl all conclave 127.0.0.1/32 scram-sha-256\n\
     host all conclave 127.0.0.1/32 reject";

async fn run_sql(url: &str, sql: &str) {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_its_copies_and_its_move_go_to_postgres_over_tls_alone() {
    let authority = Authority::new("ours");
    let issued = authority.issue(&["127.0.0.1"]);
    let starting = tokio::task::spawn_blocking(move || {
        Postgres::start_with_tls(&PostgresTls {
            certificate: &issued.certificate,
            key: &issued.key,
            clients: "",
            rules: RULES,
        })
    });
    let postgres = starting.await.unwrap().unwrap();
    run_sql(
        &postgres.url(),
        "CREATE ROLE conclave LOGIN PASSWORD 's3cret'",
    )
    .await;
    for name in ["chat", "copy", "moved"] {
        let make = format!("CREATE DATABASE {name} OWNER conclave");
        run_sql(&postgres.url(), &make).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let trusted = file("ca.pem", authority.pem());
    let other = file("other.pem", Authority::new("another").pem());
    let port = postgres.port();
    let at = |name: &str, parameters: &str| {
        format!("postgres://conclave:s3cret@127.0.0.1:{port}/{name}?{parameters}")
    };
    let over_tls = format!("sslmode=verify-full&sslrootcert={trusted}&channel_binding=require");

    let url = at("chat", &over_tls);
    let keys = [("database.url", &*url)];
    let mut server = TestServer::start_program(program(), Engine::Sqlite, &keys).await;
    let making = ["user", "create", "alice"];
    printed(&server.command(&making, "correct horse battery\n").await);
    server.stop().await;
    let copy = folder.path().join("copy");
    let copy = copy.to_str().unwrap();
    printed(&server.command(&["backup", copy], "").await);

    server.set("database.url", &at("copy", &over_tls));
    printed(&server.command(&["restore", copy], "").await);
    server.restart().await;
    server.stop().await;

    for (parameters, told) in [
        ("sslmode=require".to_owned(), "say sslmode=verify-full"),
        (
            format!("sslrootcert={other}"),
            "from an authority that is not trusted here",
        ),
        ("sslrootcert=/nowhere/ca.pem".to_owned(), "/nowhere/ca.pem"),
        ("sslmode=disable".to_owned(), "no encryption"),
    ] {
        server.set("database.url", &at("chat", &parameters));
        let sentence = refusal(&server.command(&["serve"], "").await);
        assert!(sentence.contains(told), "{parameters}: {sentence}");
        assert!(!sentence.contains("s3cret"), "{sentence}");
    }
    assert!(!server.output().contains("s3cret"));

    let mut embedded = TestServer::start_program(program(), Engine::Sqlite, &[]).await;
    embedded.stop().await;
    let moving = ["migrate", "--to", &at("moved", &over_tls)];
    printed(&embedded.command(&moving, "").await);
}

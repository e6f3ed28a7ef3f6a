//! From start to end: stopping in good order, and coming back after a crash.

use testkit::{eventually, server::Engine};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{printed, server};

const ASK: &[u8] = b"GET /_conclave/health/live HTTP/1.1\r\nHost: test\r\n\r\n";

async fn comes_back_with_what_it_acknowledged(engine: Engine) {
    let mut server = server(engine).await;
    let create = ["user", "create", "alice"];
    printed(&server.command(&create, "correct horse\n").await);
    server.kill().await;
    server.restart().await;
    let listed = printed(&server.command(&["user", "list"], "").await);
    assert_eq!(listed, "@alice:localhost\n");
    server.stop().await;
}

mod a_killed_server_comes_back_with_what_it_acknowledged {
    use super::*;

    #[tokio::test]
    async fn sqlite() {
        comes_back_with_what_it_acknowledged(Engine::Sqlite).await;
    }

    #[tokio::test]
    async fn postgres() {
        comes_back_with_what_it_acknowledged(Engine::Postgres).await;
    }
}

#[tokio::test]
async fn a_stopping_server_ends_idle_connections_and_exits_well() {
    let mut server = server(Engine::Sqlite).await;
    let mut idle = TcpStream::connect(server.address()).await.unwrap();
    idle.write_all(ASK).await.unwrap();
    let mut answer = [0; 15];
    idle.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    // A connection that never asks anything must not hold it up either.
    let _silent = TcpStream::connect(server.address()).await.unwrap();
    server.stop().await;
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.unwrap();
    assert!(server.output().contains("the server has stopped"));
    TcpStream::connect(server.address()).await.unwrap_err();
}

#[tokio::test]
async fn the_log_holds_no_password() {
    let server = server(Engine::Sqlite).await;
    let create = ["user", "create", "alice"];
    printed(&server.command(&create, "very-secret-password\n").await);
    eventually("the server has said that it started", || async {
        server.output().contains("has started").then_some(())
    })
    .await;
    assert!(!server.output().contains("very-secret-password"));
}

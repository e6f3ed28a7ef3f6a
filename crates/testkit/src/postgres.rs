//! A PostgreSQL database of its own for each test.

use std::{
    fmt::Write as _,
    hash::{BuildHasher, Hasher, RandomState},
    sync::OnceLock,
};

use tokio_postgres::{Config, NoTls};

use crate::servers::{POSTGRES_URL_VARIABLE, Postgres};

/// A database that belongs to one test.
///
/// It goes away with its server: removing a database makes PostgreSQL flush those of all other
/// tests, and everybody waits for that.
#[derive(Debug)]
pub struct TestDatabase {
    /// How to connect to it.
    pub url: String,
}

/// Creates an empty database on the server that the tests share.
///
/// `cargo xtask test` names that server; a test that runs without it gets a server for its
/// process, which costs a second.
///
/// # Panics
///
/// When there is no server and none can be started: the message says what to install.
pub async fn database() -> TestDatabase {
    let server_url = tokio::task::spawn_blocking(server_url)
        .await
        .expect("finding the server does not panic without a message of its own");
    let name = random_name();
    execute(
        &server_url,
        &format!("CREATE DATABASE {name} TEMPLATE template0"),
    )
    .await
    .unwrap_or_else(|error| panic!("cannot create a database on {server_url}: {error}"));
    TestDatabase {
        url: on_server(&server_url, &name),
    }
}

async fn execute(url: &str, statement: &str) -> Result<(), tokio_postgres::Error> {
    let config: Config = url.parse()?;
    let (client, connection) = config.connect(NoTls).await?;
    let driver = tokio::spawn(connection);
    let outcome = client.batch_execute(statement).await;
    drop(client);
    let _ = driver.await;
    outcome
}

#[expect(
    clippy::disallowed_methods,
    reason = "the variable is how the test runner hands over its server"
)]
fn server_url() -> String {
    if let Ok(url) = std::env::var(POSTGRES_URL_VARIABLE) {
        return url;
    }
    // Statics are not dropped: the server sees the process end and goes.
    static OWN: OnceLock<Postgres> = OnceLock::new();
    OWN.get_or_init(|| Postgres::start().unwrap_or_else(|error| panic!("{error}")))
        .url()
}

/// Names are random, not counted: many processes share one server.
fn random_name() -> String {
    let mut name = String::from("test");
    for _ in 0..2 {
        let word = RandomState::new().build_hasher().finish();
        write!(name, "_{word:016x}").expect("writing to a string does not fail");
    }
    name
}

fn on_server(server_url: &str, database: &str) -> String {
    let (address, query) = match server_url.split_once('?') {
        Some((address, query)) => (address, format!("?{query}")),
        None => (server_url, String::new()),
    };
    let authority_start = address.find("://").map_or(0, |at| at + 3);
    let path_start = address[authority_start..]
        .find('/')
        .map_or(address.len(), |at| authority_start + at);
    format!("{}/{database}{query}", &address[..path_start])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_database_of_the_url_is_exchanged() {
        for (server, expected) in [
            ("postgres://u@h:1/postgres", "postgres://u@h:1/mine"),
            ("postgres://u@h:1", "postgres://u@h:1/mine"),
            (
                "postgres://u@h/x?sslmode=disable",
                "postgres://u@h/mine?sslmode=disable",
            ),
            ("postgres://u@a,b/x", "postgres://u@a,b/mine"),
        ] {
            assert_eq!(on_server(server, "mine"), expected);
        }
    }
}

//! A PostgreSQL database of its own for one server.

use std::{
    env,
    fmt::Write as _,
    hash::{BuildHasher, Hasher, RandomState},
};

use anyhow::{Context as _, Result};
use reqwest::Url;
use tokio_postgres::{Config, NoTls};

/// Names the variable that tells where a PostgreSQL server for tests is.
pub const VARIABLE: &str = "CONCLAVE_TEST_POSTGRES_URL";

/// A database on the server that tests share; `remove` takes it away again.
#[derive(Debug)]
pub struct Database {
    /// How to connect to it.
    pub url: String,
    server_url: String,
    name: String,
}

impl Database {
    /// Creates an empty database.
    ///
    /// # Errors
    ///
    /// When no server for tests is named, or it does not do it.
    pub async fn create() -> Result<Self> {
        let server_url = env::var_os(VARIABLE).with_context(|| {
            format!("{VARIABLE} names no server: run `cargo xtask test --clients`")
        })?;
        let server_url = server_url
            .into_string()
            .ok()
            .with_context(|| format!("{VARIABLE} is not a URL"))?;
        let mut url = Url::parse(&server_url).with_context(|| format!("{VARIABLE} is no URL"))?;
        let name = random_name()?;
        url.set_path(&name);
        let statement = format!("CREATE DATABASE {name} TEMPLATE template0");
        execute(&server_url, &statement).await?;
        Ok(Self {
            url: url.into(),
            server_url,
            name,
        })
    }

    /// Removes the database, whoever still uses it.
    ///
    /// # Errors
    ///
    /// When the server does not do it.
    pub async fn remove(self) -> Result<()> {
        let statement = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        execute(&self.server_url, &statement).await
    }
}

async fn execute(url: &str, statement: &str) -> Result<()> {
    let config: Config = url.parse()?;
    let connecting = config.connect(NoTls).await;
    let (client, connection) = connecting.context("cannot connect to PostgreSQL")?;
    let driver = tokio::spawn(connection);
    let outcome = client.batch_execute(statement).await;
    drop(client);
    driver.await??;
    outcome.with_context(|| format!("PostgreSQL refused: {statement}"))
}

/// Names are random, not counted: many processes share one server.
fn random_name() -> Result<String> {
    let mut name = String::from("clients");
    for _ in 0..2 {
        let word = RandomState::new().build_hasher().finish();
        write!(name, "_{word:016x}")?;
    }
    Ok(name)
}

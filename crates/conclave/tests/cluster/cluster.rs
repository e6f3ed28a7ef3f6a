//! Nodes over one database and one NATS, each a process of its own.

use std::{
    ffi::OsString,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use futures_util::future::join_all;
use rustix::process::{Signal, kill_process};
use testkit::{
    server::{Engine, SERVER_VARIABLE, TestServer},
    servers::{Nats, Postgres},
};

/// The server that was built beside this test, or another that is named.
pub(crate) fn program() -> OsString {
    let given = std::env::var_os(SERVER_VARIABLE);
    given.unwrap_or_else(|| env!("CARGO_BIN_EXE_conclave").into())
}

pub(crate) struct Cluster {
    pub(crate) nodes: Vec<TestServer>,
}

/// What one node is told.
#[derive(Default)]
pub(crate) struct Place {
    /// The program that starts it, when it is not the server's own.
    pub(crate) program: Option<PathBuf>,
    /// Where it listens, when that is not on loopback.
    pub(crate) listen: Option<IpAddr>,
    pub(crate) keys: Vec<(&'static str, String)>,
}

impl Place {
    pub(crate) fn with(keys: &[(&'static str, &str)]) -> Self {
        let keys = keys.iter().map(|(key, value)| (*key, (*value).to_owned()));
        Self {
            program: None,
            listen: None,
            keys: keys.collect(),
        }
    }
}

impl Cluster {
    /// Starts nodes at these places: the first makes the tables and the key of all.
    pub(crate) async fn start(places: Vec<Place>) -> Self {
        let mut nodes: Vec<TestServer> = Vec::new();
        for place in places {
            let program = place.program.unwrap_or_else(|| program().into());
            let mut node = TestServer::prepare_program(&program, Engine::Sqlite, &[]).await;
            node.set("registration.mode", "open");
            if let Some(first) = nodes.first() {
                let key = first.data_dir().join("master.key");
                node.set("seal.key_file", key.to_str().unwrap());
            }
            if let Some(address) = place.listen {
                node.listen_on(address);
            }
            for (key, value) in place.keys {
                node.set(key, &value);
            }
            nodes.push(node);
        }
        let (first, others) = nodes.split_at_mut(1);
        first[0].restart().await;
        join_all(others.iter_mut().map(TestServer::restart)).await;
        Self { nodes }
    }

    /// The same place for each of so many nodes.
    pub(crate) async fn of(count: usize, database: &str, nats: &Nats) -> Self {
        let nats = nats.url();
        let place = || Place::with(&[("database.url", database), ("bus.url", &nats)]);
        Self::start((0..count).map(|_| place()).collect()).await
    }

    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(TestServer::address).collect()
    }

    /// Sends a node's process this signal.
    pub(crate) fn signal(&self, node: usize, signal: Signal) {
        let process = self.nodes[node].process().unwrap();
        kill_process(process, signal).unwrap();
    }

    pub(crate) async fn stop(mut self) {
        join_all(self.nodes.iter_mut().map(TestServer::stop)).await;
    }
}

pub(crate) async fn nats() -> Nats {
    blocking(|| Nats::start().unwrap()).await
}

pub(crate) async fn postgres() -> Postgres {
    blocking(|| Postgres::start().unwrap()).await
}

/// The test's servers are ordered about by who may wait.
pub(crate) async fn blocking<T: Send + 'static>(order: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(order).await.unwrap()
}

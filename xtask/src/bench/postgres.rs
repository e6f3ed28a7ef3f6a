//! Servers on one PostgreSQL, and three nodes of ours beside one.
//!
//! Those that are compared stay up while one after the other has its turn; each deployment has a
//! database of its own.

use std::fs;

use anyhow::Context as _;
use testkit::servers::{Nats, Postgres};

use super::{
    Bench,
    part::Part,
    server::{Kind, Running, Shared},
    side::Side,
    sides,
};
use crate::servers;

/// How many nodes a cluster has.
const NODES: usize = 3;

/// How many clients send at once.
const CONNECTIONS: usize = 64;

/// How many messages are delivered in a turn: the 99th percentile is not the slowest of them.
const DELIVERIES: u32 = 300;

/// How many in a trial.
const FEW_DELIVERIES: u32 = 20;

impl Bench<'_> {
    /// Everything of this file that was asked for; says whether nothing was lost.
    pub(super) fn on_postgres(&self) -> anyhow::Result<bool> {
        let beside = self.wants(Part::PostgresSend);
        let cluster = self.wants(Part::ClusterSend) || self.wants(Part::ClusterDelivery);
        if !(beside || cluster) {
            return Ok(true);
        }
        servers::provide_cluster()?;
        let mut postgres = Postgres::start().context("this part needs a PostgreSQL server")?;
        let mut clean = true;
        if beside {
            clean &= self.beside(&mut postgres)?;
        }
        if cluster {
            clean &= self.cluster(&mut postgres)?;
        }
        Ok(clean)
    }

    /// One node, and Synapse.
    fn beside(&self, postgres: &mut Postgres) -> anyhow::Result<bool> {
        let mut servers = Vec::new();
        for kind in self.kinds() {
            servers.push(self.start_on(postgres, kind, kind.name())?);
        }
        let title = "send on PostgreSQL: 20 rooms, 64 connections";
        self.send(title, CONNECTIONS, &sides(&servers), postgres)
    }

    /// Three nodes, and one whose database was empty when theirs was.
    fn cluster(&self, postgres: &mut Postgres) -> anyhow::Result<bool> {
        let nats = Nats::start().context("a cluster needs a NATS server")?;
        let nodes = self.start_nodes(postgres, &nats)?;
        let one = [self.start_on(postgres, &self.ours, "alone")?];
        let mut clean = true;
        if self.wants(Part::ClusterSend) {
            let sides = [Side::of(&nodes), Side::of(&one)];
            for connections in [CONNECTIONS, NODES * CONNECTIONS] {
                let title = format!(
                    "send to three nodes on PostgreSQL, against one: {connections} connections"
                );
                clean &= self.send(&title, connections, &sides, postgres)?;
            }
        }
        if self.wants(Part::ClusterDelivery) {
            clean &= self.deliver(&nodes, &one)?;
        }
        Ok(clean)
    }

    fn send(
        &self,
        title: &str,
        connections: usize,
        sides: &[Side],
        postgres: &Postgres,
    ) -> anyhow::Result<bool> {
        let connections = connections.to_string();
        let seconds = self.options.seconds.to_string();
        let database = pid(postgres)?.to_string();
        let load = ["send", "--connections", &connections, "--seconds", &seconds];
        let load = [&load[..], &["--database-pid", &database]].concat();
        self.load_sides(title, sides, &load)
    }

    /// From a node to another, against within one: of the same cluster, and of one node alone,
    /// which has no other to tell.
    fn deliver(&self, cluster: &[Running], one: &[Running]) -> anyhow::Result<bool> {
        let messages = if self.options.trial {
            FEW_DELIVERIES
        } else {
            DELIVERIES
        };
        let messages = messages.to_string();
        let load = ["fan-out", "--listeners", "1", "--messages", &messages];
        let within = [
            (Side::asked_at(cluster, 1), "within a node of the cluster"),
            (Side::of(one), "within one node alone"),
        ];
        let mut clean = true;
        for (within, name) in within {
            let title = format!("from a node to a held sync at another, against {name}");
            let sides = [Side::asked_at(cluster, 2), within];
            clean &= self.load_sides(&title, &sides, &load)?;
        }
        Ok(clean)
    }

    fn start_on(
        &self,
        postgres: &mut Postgres,
        kind: &Kind,
        database: &str,
    ) -> anyhow::Result<Running> {
        let shared = Shared {
            database: Some(postgres.create_database(database)?),
            ..Shared::default()
        };
        kind.start_sharing(&self.folder(&format!("postgres-{database}"))?, &shared)
    }

    /// The first node makes the tables and the master key of all.
    fn start_nodes(&self, postgres: &mut Postgres, nats: &Nats) -> anyhow::Result<Vec<Running>> {
        let mut shared = Shared {
            database: Some(postgres.create_database("cluster")?),
            bus: Some(nats.url()),
            key_file: None,
        };
        let mut nodes = Vec::new();
        for number in 0..NODES {
            let folder = self.folder(&format!("node-{number}"))?;
            nodes.push(self.ours.start_sharing(&folder, &shared)?);
            shared
                .key_file
                .get_or_insert_with(|| folder.join("data/master.key"));
        }
        Ok(nodes)
    }
}

/// The process that all others of a PostgreSQL server are children of.
fn pid(postgres: &Postgres) -> anyhow::Result<u32> {
    let file = postgres.data_dir().join("postmaster.pid");
    let text =
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let first = text.lines().next().context("an empty postmaster.pid")?;
    Ok(first.trim().parse()?)
}

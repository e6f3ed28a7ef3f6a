//! One fault under load, from the people in the room to the reading at every node.

use std::{net::SocketAddr, sync::Arc};

use testkit::eventually_within;

use crate::{
    cluster::Cluster,
    form::{Chance, seed},
    load::Load,
    report::Report,
    scene::{PATIENCE, Scene},
    verify,
};

/// How many are acknowledged, at least, before a fault and after it.
pub(crate) const ANSWERS: usize = 30;

pub(crate) struct Trial {
    pub(crate) chance: Chance,
    pub(crate) report: Report,
    pub(crate) scene: Arc<Scene>,
    pub(crate) load: Load,
}

impl Trial {
    /// Sets the scene, and has everybody begin.
    pub(crate) async fn begin(fault: &str, cluster: &Cluster) -> Self {
        Self::begin_at(fault, cluster.addresses()).await
    }

    /// The same, for people who ask at other addresses than the nodes' own.
    pub(crate) async fn begin_at(fault: &str, addresses: Vec<SocketAddr>) -> Self {
        let seed = seed();
        let report = Report::new(fault, seed);
        let scene = Arc::new(Scene::set(addresses).await);
        let load = Load::start(&scene, seed).await;
        load.goes_on(ANSWERS).await;
        Self {
            chance: Chance::new(seed),
            report,
            scene,
            load,
        }
    }

    /// Lets the load go on without faults, and looks at what stands.
    pub(crate) async fn end(self, cluster: Cluster) {
        let Self {
            report,
            scene,
            load,
            ..
        } = self;
        load.goes_on(ANSWERS).await;
        let seen = load.finish().await;
        let scene = scene.moved_to(cluster.addresses());
        for node in 0..scene.nodes() {
            let client = scene.at(0, node);
            eventually_within(PATIENCE, "every node is ready", || async {
                let ready = client.send("GET", "/_conclave/health/ready", "", &[]).await;
                ready.ok()
            })
            .await;
        }
        let findings = verify::all(&scene, &seen).await;
        report.print(&seen, &findings);
        if !findings.is_empty() {
            let logs = cluster.nodes.iter().map(|node| node.output());
            let logs: String = logs.collect::<Vec<_>>().join("\n--- the next node ---\n");
            panic!("{findings:#?}\n{logs}");
        }
        cluster.stop().await;
    }
}

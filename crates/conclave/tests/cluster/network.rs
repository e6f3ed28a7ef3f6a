//! The network between a node and one of the servers falls silent: packets are lost, and nobody
//! is told.

use std::{io::Write as _, time::Duration};

use serde_json::json;
use testkit::{eventually_within, postgres};
use tokio::time::Instant;

use crate::{
    cluster::{Cluster, Place, nats},
    form::{by_form, pause},
    namespace::{Link, Namespace},
    relay::{Relay, reached_at, server_of},
    scene::{PATIENCE, sign_in_again},
    trial::{ANSWERS, Trial},
};

/// How long a link is cut: longer than connections may take to be given up, in the long form.
const SHORT: Duration = Duration::from_secs(8);

const LONG: Duration = Duration::from_secs(45);

/// The node that is cut off.
const FAR: usize = 2;

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_cut_off_tells_the_truth_or_nothing_and_comes_back() {
    let namespace = match Namespace::make() {
        Ok(namespace) => namespace,
        Err(reason) => {
            let sentence = format!("skipped: network namespaces cannot be made here: {reason}\n");
            std::io::stderr().write_all(sentence.as_bytes()).unwrap();
            return;
        }
    };
    let database = postgres::database().await;
    let nats = nats().await;
    let bus = nats.url().replace("nats://", "").parse().unwrap();
    let outside = namespace.outside(Link::Database);
    let to_database = Relay::start(&outside, server_of(&database.url)).await;
    let to_bus = Relay::start(&namespace.outside(Link::Bus), bus).await;
    let near = Place::with(&[("database.url", &database.url), ("bus.url", &nats.url())]);
    let far = Place {
        program: Some(namespace.program()),
        listen: Some(namespace.inside(Link::Clients)),
        ..Place::with(&[
            (
                "database.url",
                &reached_at(&database.url, &[to_database.address]),
            ),
            ("bus.url", &format!("nats://{}", to_bus.address)),
        ])
    };
    let near_too = Place::with(&[("database.url", &database.url), ("bus.url", &nats.url())]);
    let cluster = Cluster::start(vec![near, near_too, far]).await;
    let mut trial = Trial::begin("the network is cut", &cluster).await;
    let mut back = Vec::new();
    let mut served = Vec::new();
    for round in 0..by_form(2, 6) {
        let link = [Link::Database, Link::Bus][round % 2];
        trial.chance.pause(200).await;
        let carol = sign_in_again(&trial.scene, 0).await;
        let known = carol.at(trial.scene.addresses[FAR]).settled().await;
        assert_eq!(known, Ok(()));
        namespace.cut(link);
        let began = Instant::now();
        trial.load.goes_on(ANSWERS).await;
        served.push(began.elapsed());
        let nothing = json!({});
        let out = carol.ask("POST", "/_matrix/client/v3/logout", &nothing);
        out.await.unwrap();
        let revoked = carol.at(trial.scene.addresses[FAR]);
        let told = revoked.who().await;
        assert!(told.is_err(), "a revoked token was let in without {link:?}");
        pause(by_form(SHORT, LONG).saturating_sub(began.elapsed())).await;
        trial.load.goes_on(ANSWERS).await;
        namespace.mend(link);
        let mended = Instant::now();
        let far = trial.scene.at(0, FAR);
        eventually_within(PATIENCE, "the node is ready again", || async {
            let ready = far.send("GET", "/_conclave/health/ready", "", &[]).await;
            ready.ok()
        })
        .await;
        back.push(mended.elapsed());
        assert_eq!(revoked.settled().await, Err(401));
        trial.load.goes_on(ANSWERS).await;
    }
    let what = format!("{ANSWERS} acknowledged, once cut");
    trial.report.note_times(&what, served);
    trial.report.note_times("ready again, once mended", back);
    trial.end(cluster).await;
}

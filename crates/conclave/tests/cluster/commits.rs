//! Connections to PostgreSQL that are cut in the middle of COMMIT.

use testkit::{eventually_within, postgres};

use crate::{
    cluster::{Cluster, Place, nats},
    form::by_form,
    relay::{Cut, Relay, reached_at, server_of},
    scene::PATIENCE,
    trial::{ANSWERS, Trial},
};

#[tokio::test(flavor = "multi_thread")]
async fn commits_whose_connection_is_cut_are_answered_with_the_truth() {
    let database = postgres::database().await;
    let nats = nats().await;
    let mut relays = Vec::new();
    let mut places = Vec::new();
    for _ in 0..2 {
        let relay = Relay::start("127.0.0.1:0", server_of(&database.url)).await;
        let url = reached_at(&database.url, &[relay.address]);
        places.push(Place::with(&[
            ("database.url", &url),
            ("bus.url", &nats.url()),
        ]));
        relays.push(relay);
    }
    let cluster = Cluster::start(places).await;
    let mut trial = Trial::begin("connections are cut inside COMMIT", &cluster).await;
    for _ in 0..by_form(16, 200) {
        let relay = &relays[trial.chance.below(2)];
        let before = relay.cuts();
        relay.cut(Cut::ALL[trial.chance.below(Cut::ALL.len())]);
        eventually_within(PATIENCE, "a connection is cut", || async {
            (relay.cuts() > before).then_some(())
        })
        .await;
        trial.chance.pause(100).await;
        trial.load.goes_on(ANSWERS / 6).await;
    }
    let cuts: usize = relays.iter().map(Relay::cuts).sum();
    trial.report.note("connections cut", cuts);
    trial.end(cluster).await;
}

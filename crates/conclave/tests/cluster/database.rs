//! PostgreSQL is restarted, killed, and followed by its standby.

use std::{sync::Arc, time::Duration};

use testkit::servers::Postgres;
use tokio::{sync::Mutex, time::Instant};

use crate::{
    cluster::{Cluster, Place, blocking, nats, postgres},
    form::{by_form, pause},
    relay::{Relay, reached_at, server_of},
    trial::{ANSWERS, Trial},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_restarts_or_is_killed_loses_nothing() {
    let server = postgres().await;
    let nats = nats().await;
    let cluster = Cluster::of(2, &server.url(), &nats).await;
    let mut trial = Trial::begin("PostgreSQL is restarted and killed", &cluster).await;
    let server = Arc::new(Mutex::new(server));
    let mut took = Vec::new();
    for round in 0..by_form(3, 15) {
        trial.chance.pause(300).await;
        let server = Arc::clone(&server);
        // Each way once, and then whichever.
        let way = if round < 3 {
            round
        } else {
            trial.chance.below(3)
        };
        let began = Instant::now();
        blocking(move || {
            let mut server = server.blocking_lock();
            match way {
                0 => server.stop().unwrap(),
                1 => server.kill().unwrap(),
                _ => server.crash().unwrap(),
            }
            server.restart().unwrap();
        })
        .await;
        let is_back = Instant::now();
        trial.load.goes_on(1).await;
        took.push(is_back.elapsed());
        trial.report.note(
            ["restarted", "first process killed", "all killed"][way],
            format_args!("for {} ms", (is_back - began).as_millis()),
        );
        trial.load.goes_on(ANSWERS).await;
    }
    trial
        .report
        .note_times("found again, once it was back", took);
    trial.end(cluster).await;
}

/// How the primary goes.
#[derive(Clone, Copy, Debug)]
enum End {
    /// All of its processes at once.
    Crash,
    /// Its machine answers nothing any more: connections hang instead of breaking.
    Silence,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_that_follows_a_crashed_primary_has_everything() {
    fails_over(End::Crash).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_that_follows_a_silent_primary_has_everything() {
    fails_over(End::Silence).await;
}

async fn fails_over(end: End) {
    let mut primary = postgres().await;
    let (mut standby, mut primary) = blocking(move || {
        let standby = Postgres::start_standby(&primary).unwrap();
        (standby, {
            primary.wait_for_standbys().unwrap();
            primary
        })
    })
    .await;
    let nats = nats().await;
    let first = Relay::start("127.0.0.1:0", server_of(&primary.url())).await;
    let second = Relay::start("127.0.0.1:0", server_of(&standby.url())).await;
    let url = reached_at(&primary.url(), &[first.address, second.address]);
    let place = || Place::with(&[("database.url", &url), ("bus.url", &nats.url())]);
    let mut cluster = Cluster::start(vec![place(), place()]).await;
    let fault = format!("PostgreSQL fails over: {end:?}");
    let mut trial = Trial::begin(&fault, &cluster).await;
    trial.load.goes_on(by_form(ANSWERS, 10 * ANSWERS)).await;
    trial.chance.pause(300).await;
    let began = Instant::now();
    if matches!(end, End::Silence) {
        first.silence(true);
        pause(Duration::from_millis(500)).await;
    }
    let standby = blocking(move || {
        primary.crash().unwrap();
        drop(primary);
        standby.promote().unwrap();
        standby
    })
    .await;
    let promoted = Instant::now();
    trial.load.goes_on(1).await;
    trial.report.note(
        "acknowledged again",
        format_args!(
            "{} ms after the primary went, {} ms after the promotion",
            began.elapsed().as_millis(),
            promoted.elapsed().as_millis()
        ),
    );
    trial.load.goes_on(by_form(ANSWERS, 10 * ANSWERS)).await;
    // One that starts now finds the right one, too.
    let node = trial.chance.below(2);
    cluster.nodes[node].restart().await;
    trial.end(cluster).await;
    drop(standby);
}

//! A server that is killed at random moments loses nothing that it acknowledged, does nothing
//! twice, and keeps nothing of what it refused.
//!
//! Ten kills on each engine run with all other tests, and a thousand notifications wait for a gateway
//! that is away; `cargo xtask crash-test` runs the same with a hundred kills and ten thousand
//! notifications, and shows the reports. `acknowledges_too_early.diff` beside this file makes a server that
//! answers right before its commit instead of behind it: with it the test fails, which
//! `docs/reliability.md` shows.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of tests panics as a test does"
)]

mod bench;
mod chance;
mod client;
mod full_disk;
#[path = "../support/gateway.rs"]
mod gateway;
mod load;
mod queued;
mod refusals;
mod report;
mod scene;
#[expect(dead_code, reason = "the suite of copies uses the rest")]
#[path = "../support/client.rs"]
mod support;
mod verify;
mod writers;

use std::sync::Arc;

use testkit::server::Engine;

use self::{
    bench::{Bench, Crash},
    chance::Chance,
    load::Load,
    report::Report,
    scene::Scene,
    writers::Writers,
};

/// Names the variable that says how often the server is killed.
const KILLS_VARIABLE: &str = "CONCLAVE_CRASH_KILLS";

/// How often the server is killed when nobody says otherwise.
const KILLS: usize = 10;

/// How many requests are answered, at least, between two kills.
const ANSWERS: usize = 40;

/// How many connections write at once: so many that a batch takes its time to be written.
const WRITERS: usize = 128;

/// How many requests have to be on their way at each kill.
const IN_FLIGHT: usize = 20;

/// How long the load goes on at most before the next kill, once it is on again.
const PAUSE_MS: u64 = 160;

async fn nothing_acknowledged_is_lost(engine: Engine) {
    let started = report::now();
    let kills = kills();
    let mut chance = Chance::new();
    let mut report = Report::new(engine, kills);
    let mut bench = Bench::start(engine).await;
    let scene = Arc::new(Scene::set(&bench.server).await);
    let load = Arc::new(Load::default());
    let writers = Writers::start(&scene, &load, WRITERS);
    for round in 0..kills {
        load.wait_for(ANSWERS).await;
        // And then anywhere inside of whatever goes on.
        chance.pause(PAUSE_MS).await;
        let in_flight = load.wait_for_in_flight(IN_FLIGHT).await;
        report.in_flight.push(in_flight);
        match bench.crash_of(round) {
            Crash::Server => {
                load.hold();
                // Every other time at the very moment at which an acknowledgement arrives: then
                // whatever was acknowledged before it was durable is lost.
                if let (0, Some(process)) = (round % 2, bench.server.process()) {
                    load.kill_at_next_answer(process).await;
                }
                kill_server(&mut bench, &scene, &load, &mut chance, &mut report).await;
            }
            crash => {
                report.database_kills += 1;
                bench.crash_database(crash).await;
            }
        }
    }
    let acknowledged = writers.finish(&load).await;
    // What stands now must be on the disk, not in a process.
    bench.crash_everything().await;
    let findings = verify::all(&scene, &acknowledged).await;
    report.took = report::now().saturating_sub(started);
    report.print(&acknowledged, &findings);
    assert!(
        acknowledged.messages.len() > 5 * kills,
        "so few messages are no load"
    );
    assert!(findings.are_none(), "{findings:#?}");
    bench.server.stop().await;
}

/// Kills the server, perhaps kills it again while it starts, and looks at what became of the
/// requests that were on their way before anybody repeats them.
async fn kill_server(
    bench: &mut Bench,
    scene: &Scene,
    load: &Load,
    chance: &mut Chance,
    report: &mut Report,
) {
    bench.server.kill().await;
    let on_their_way = load.on_their_way();
    while chance.one_in(3) {
        bench.server.launch();
        chance.pause(bench.start_takes_ms()).await;
        bench.server.kill().await;
        report.kills_at_start += 1;
    }
    bench.restart_server().await;
    report.note_answers_lost(scene.which_stand(&on_their_way).await);
    load.go_on();
}

fn kills() -> usize {
    let given = std::env::var_os(KILLS_VARIABLE);
    given.map_or(KILLS, |given| given.to_str().unwrap().parse().unwrap())
}

mod sqlite {
    use testkit::server::Engine;

    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_acknowledged_is_lost() {
        super::nothing_acknowledged_is_lost(Engine::Sqlite).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_waits_to_leave_survives() {
        super::queued::survives(Engine::Sqlite).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_full_disk_loses_nothing_and_work_goes_on_when_there_is_room() {
        super::full_disk::loses_nothing().await;
    }
}

mod postgres {
    use testkit::server::Engine;

    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_acknowledged_is_lost() {
        super::nothing_acknowledged_is_lost(Engine::Postgres).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_waits_to_leave_survives() {
        super::queued::survives(Engine::Postgres).await;
    }
}

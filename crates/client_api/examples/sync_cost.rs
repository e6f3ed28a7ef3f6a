//! What a sync costs one who is in many rooms, measured beside one who is in few:
//! `cargo run --release --example sync_cost -p client_api [-- ROOMS]`.
//!
//! One message is new each time; rooms without news should cost nothing.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement on a terminal"
)]

#[path = "../tests/api/conformance.rs"]
mod conformance;
#[path = "../tests/api/deployment.rs"]
mod deployment;
#[expect(unused, reason = "the tests' fixture, of which this uses a part")]
#[path = "../tests/api/server.rs"]
mod server;
#[expect(dead_code, reason = "the tests' fixture, of which this uses a part")]
#[path = "../tests/api/stage.rs"]
mod stage;

use std::time::{Duration, Instant};

use server::{Node, Server, User};
use stage::joined;

const ROUNDS: usize = 60;

#[tokio::main]
async fn main() {
    let rooms = std::env::args().nth(1);
    let rooms = rooms.map_or(500, |rooms| rooms.parse().unwrap());
    for (engine, server) in [
        ("SQLite", Server::sqlite()),
        ("PostgreSQL", Server::postgres().await),
    ] {
        let node = server.node().await;
        let few = cost(&node, 1).await;
        let many = cost(&node, rooms).await;
        println!("{engine}: one message, then what a sync takes (median of {ROUNDS})");
        println!("  in 1 room: {few:?}");
        println!("  in {rooms} rooms: {many:?}");
        let times = |index: usize| many[index].as_secs_f64() / few[index].as_secs_f64();
        println!(
            "  ratio: {:.2} with news, {:.2} without",
            times(0),
            times(1)
        );
    }
}

/// With news, and without.
async fn cost(node: &Node, rooms: usize) -> [Duration; 2] {
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let mut last = String::new();
    for _ in 0..rooms {
        last = node.public(&alice).await;
        node.go(&bob, "join", &last).await;
    }
    let mut client = node.client(&bob).ready().await;
    let mut with = Vec::new();
    let mut without = Vec::new();
    for _ in 0..ROUNDS {
        say(node, &alice, &last).await;
        let began = Instant::now();
        let answer = client.next().await;
        with.push(began.elapsed());
        assert!(joined(&answer, &last).is_object());
        let began = Instant::now();
        client.next().await;
        without.push(began.elapsed());
    }
    [median(with), median(without)]
}

async fn say(node: &Node, user: &User, room: &str) {
    node.say(user, room, "news").await;
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

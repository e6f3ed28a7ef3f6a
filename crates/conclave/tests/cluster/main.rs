//! Nodes of one deployment, what may befall them and the servers that they share, and that
//! nothing which they acknowledged is lost, doubled, moved or hidden from any of them.
//!
//! Each test is one fault, under load: people who write at one node read it at another at once,
//! who is not answered asks another node the same, and who syncs changes the node each time. The
//! short form runs with all other tests; `cargo xtask cluster-test` runs the long one with as many
//! seeds as are asked for, and shows the reports.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of tests panics as a test does"
)]

mod balancers;
mod bus;
mod cluster;
mod commits;
mod database;
mod files;
mod followers;
mod form;
mod frozen;
mod killed;
mod load;
mod loss;
mod namespace;
mod network;
mod relay;
mod report;
mod rolling;
mod scene;
#[expect(dead_code, reason = "the suites of crashes and copies use the rest")]
#[path = "../support/client.rs"]
mod support;
mod trial;
mod verify;
mod writers;

//! Two writers at once, frozen nodes and lost connections: what shared SQL does not prove.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "the conformance suite uses the rest")]
#[path = "../support/mod.rs"]
mod support;

mod embedded;
mod lost_connections;
mod moving;
mod parted;
mod proxy;
mod two_nodes;

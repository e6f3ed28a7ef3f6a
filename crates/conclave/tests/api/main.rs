//! Whole servers in this process, over HTTP.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of tests panics as a test does"
)]

mod bus;
mod connections;
mod http;
mod nodes;
mod people;
mod person;
mod stopping;
mod tls;
mod upkeep;

//! What is said to PostgreSQL over a network nobody else hears, and nobody else answers.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of tests panics as a test does"
)]

mod between;
mod certificates;
mod clients;
mod hosts;
mod site;

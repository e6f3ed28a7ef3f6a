//! An embedded deployment moves to PostgreSQL, and its files to S3: clients go on with what they
//! have, whatever interrupts the move, and nothing that does not fit is moved or moved into.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of tests panics as a test does"
)]

#[path = "../support/acts.rs"]
mod acts;
#[expect(dead_code, reason = "the crash suite uses the rest")]
#[path = "../crash/client.rs"]
mod client;
#[expect(dead_code, reason = "the crash suite uses the rest")]
#[path = "../support/gateway.rs"]
mod gateway;
mod interrupted;
#[expect(dead_code, reason = "the suite of copies uses the rest")]
#[path = "../copy/places.rs"]
mod places;
mod refused;
mod scene;
mod story;
#[expect(dead_code, reason = "other suites use the rest")]
#[path = "../support/client.rs"]
mod support;
mod target;

//! Requests of the client against servers on this machine, and against what it refuses to ask.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of tests panics as a test does"
)]

mod asking;
mod bounds;
mod places;
mod protected;
mod redirects;
mod site;

//! The program as an operator meets it: its commands, its files, its sentences.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of tests panics as a test does"
)]

mod administration;
mod bus;
mod configuration;
mod data_dir;
mod deliveries;
mod doctor;
mod keys;
mod life;
mod metrics;
mod notices;
mod protected;
mod reports;
#[expect(dead_code, reason = "other suites use the rest")]
#[path = "../support/client.rs"]
mod support;

use std::{path::Path, process::Output};

use testkit::server::{Engine, TestServer};

/// The program that was built for these tests.
fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_conclave"))
}

async fn server(engine: Engine) -> TestServer {
    TestServer::start_program(program(), engine, &[]).await
}

/// What a command that succeeded has printed.
#[track_caller]
fn printed(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {stderr}", output.status);
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The sentence of a command that failed.
#[track_caller]
fn refusal(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    let last = stderr.lines().last().unwrap_or_default();
    let sentence = last.strip_prefix("conclave: ");
    sentence.unwrap_or_else(|| panic!("{stderr}")).to_owned()
}

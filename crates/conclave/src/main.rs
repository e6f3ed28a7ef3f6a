//! The server: command line, wiring, signals, telemetry.
fn main() {}

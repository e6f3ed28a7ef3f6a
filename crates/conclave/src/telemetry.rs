//! Log records: their form, their level, and that they go to standard error.

use std::io::{self, IsTerminal};

use config::{Log, LogFormat};
use tracing_subscriber::EnvFilter;

/// Begins to write log records, unless this process does so already.
pub(crate) fn start(log: &Log) {
    // The authorisation rules narrate every check, and the NATS client every attempt, of which
    // the bus says what matters; who wants that says so in log.level.
    let directives = format!("ruma_state_res=warn,async_nats=off,{}", log.level.as_str());
    let filter = EnvFilter::builder().parse_lossy(directives);
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    let started = match log.format {
        LogFormat::Pretty => builder.with_ansi(io::stderr().is_terminal()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    // Another node of this process was first: there is one log for all.
    drop(started);
}

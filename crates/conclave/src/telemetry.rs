//! Log records: their form, their level, and that they go to standard error.

use std::io::{self, IsTerminal};

use config::{Log, LogFormat};
use tracing::{Level, Metadata};
use tracing_subscriber::{
    EnvFilter, Layer, filter::FilterExt, filter::filter_fn, layer::SubscriberExt,
    util::SubscriberInitExt,
};

/// Our own crates: whatever they write, at whatever level, holds no secret.
const OWN: [&str; 34] = [
    "accounts",
    "appservices",
    "audit",
    "blobs",
    "bridging",
    "bus",
    "client_api",
    "conclave",
    "config",
    "copy",
    "hostile",
    "keys",
    "lifecycle",
    "mail",
    "mailroom",
    "media",
    "model",
    "notices",
    "oauth",
    "outbound",
    "outbox",
    "people",
    "previews",
    "push",
    "pushers",
    "reports",
    "rooms",
    "seal",
    "search",
    "specification",
    "store",
    "sync",
    "testkit",
    "trust",
];

/// Begins to write log records, unless this process does so already.
pub(crate) fn start(log: &Log) {
    // The authorisation rules narrate every check, and the clients of NATS and S3 every attempt, of
    // which the bus and the files say what matters; who wants that says so in log.level.
    let level = log.level.as_str();
    let directives = format!("ruma_state_res=warn,async_nats=off,object_store=warn,{level}");
    let wanted = EnvFilter::builder().parse_lossy(directives);
    let filter = wanted.and(filter_fn(may_be_written));
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let lines = match log.format {
        LogFormat::Pretty => lines.with_ansi(io::stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let started = tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .try_init();
    // Another node of this process was first: there is one log for all.
    drop(started);
}

/// A library's finer records may hold whatever passes through it: the PostgreSQL client's, for
/// one, every parameter of every statement.
fn may_be_written(metadata: &Metadata<'_>) -> bool {
    let name = metadata.target().split("::").next().unwrap_or_default();
    *metadata.level() <= Level::INFO || OWN.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::OWN;

    #[test]
    fn every_crate_of_ours_is_known() {
        let manifest = include_str!("../../../Cargo.toml");
        let ours = manifest
            .lines()
            .filter(|line| line.contains("path = \"crates/"));
        let mut ours: Vec<&str> = ours.filter_map(|line| line.split(' ').next()).collect();
        // The program itself is nobody's dependency.
        ours.push("conclave");
        ours.sort_unstable();
        assert_eq!(ours, OWN);
    }
}

//! What a run has seen, for who reads it.

use std::{
    fmt::Write as _,
    io::Write as _,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use testkit::server::Engine;

use crate::{verify::Findings, writers::Acknowledged};

pub(crate) struct Report {
    engine: Engine,
    kills: usize,
    pub(crate) database_kills: usize,
    /// While the server started, further ones.
    pub(crate) kills_at_start: usize,
    /// At each kill, how many requests waited for their answers.
    pub(crate) in_flight: Vec<usize>,
    /// Kills after which changes stood that nobody was told of, and those changes.
    kills_between: usize,
    answers_lost: usize,
    pub(crate) took: Duration,
}

impl Report {
    pub(crate) fn new(engine: Engine, kills: usize) -> Self {
        Self {
            engine,
            kills,
            database_kills: 0,
            kills_at_start: 0,
            in_flight: Vec::new(),
            kills_between: 0,
            answers_lost: 0,
            took: Duration::ZERO,
        }
    }

    pub(crate) fn note_answers_lost(&mut self, changes: usize) {
        self.kills_between += usize::from(changes > 0);
        self.answers_lost += changes;
    }

    /// Prints it also where a test's output is otherwise kept for its failure.
    pub(crate) fn print(&self, acknowledged: &Acknowledged, findings: &Findings) {
        let text = self.text(acknowledged, findings);
        std::io::stdout().write_all(text.as_bytes()).unwrap();
    }

    fn text(&self, acknowledged: &Acknowledged, findings: &Findings) -> String {
        let Self {
            engine,
            kills,
            database_kills,
            kills_at_start,
            kills_between,
            answers_lost,
            ..
        } = self;
        let build = if cfg!(debug_assertions) {
            "debug"
        } else {
            "release"
        };
        let (least, median) = self.least_and_median();
        let to_device: usize = acknowledged.to_device.iter().map(Vec::len).sum();
        let lines = [
            (
                "crash test",
                format!("{engine:?}, {build} build, {} s", self.took.as_secs()),
            ),
            (
                "kills",
                format!(
                    "{kills} under load ({database_kills} of the database server), and {kills_at_start} more of the server while it started"
                ),
            ),
            (
                "in flight at a kill",
                format!("at least {least}, median {median}"),
            ),
            (
                "acknowledged",
                format!(
                    "{} messages, {} account data, {to_device} to-device, {} receipts, {} files",
                    acknowledged.messages.len(),
                    acknowledged.counted,
                    acknowledged.receipts,
                    acknowledged.files.len()
                ),
            ),
            (
                "between write and answer",
                format!(
                    "{kills_between} of {} kills of the server: {answers_lost} changes stood that nobody was told of",
                    kills - database_kills
                ),
            ),
            (
                "refused",
                format!(
                    "{} requests, {} findings",
                    acknowledged.refused,
                    findings.refused.len()
                ),
            ),
            ("lost", findings.lost.len().to_string()),
            ("twice", findings.twice.len().to_string()),
            ("out of order", findings.out_of_order.len().to_string()),
            ("otherwise wrong", findings.otherwise.len().to_string()),
        ];
        let mut text = String::from("\n");
        for (what, value) in lines {
            writeln!(text, "{what:<25} {value}").unwrap();
        }
        text
    }

    fn least_and_median(&self) -> (usize, usize) {
        let mut counts = self.in_flight.clone();
        counts.sort_unstable();
        let least = counts.first().copied().unwrap_or_default();
        let median = counts.get(counts.len() / 2).copied();
        (least, median.unwrap_or_default())
    }
}

/// Real time, for measuring this run.
#[expect(
    clippy::disallowed_methods,
    reason = "measures this run for the person who waits for it"
)]
pub(crate) fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

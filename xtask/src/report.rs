//! What was run, how it went, and how long it took.

use std::{
    io::{BufRead, BufReader, pipe},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::Context as _;

use crate::console::{say, without_colours};

/// How many of the slowest parts are shown.
const SHOWN: usize = 10;

/// The parts that were run so far.
#[derive(Debug, Default)]
pub(crate) struct Report {
    parts: Vec<Part>,
    /// Single tests, as their runner timed them.
    tests: Vec<Timing>,
}

#[derive(Debug)]
struct Part {
    timing: Timing,
    outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq)]
struct Timing {
    name: String,
    took: Duration,
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed,
    Skipped,
}

impl Report {
    /// Runs a command as one part, showing what it says, and tells whether it succeeded.
    pub(crate) fn run(&mut self, name: &str, mut command: Command) -> anyhow::Result<bool> {
        let (reader, writer) = pipe().context("cannot make a pipe")?;
        let second = writer.try_clone().context("cannot make a pipe")?;
        command.stdout(writer).stderr(second);
        self.part(name, |report| {
            let mut child = command
                .spawn()
                .with_context(|| format!("cannot start {:?}", command.get_program()))?;
            // The command holds the writing ends, which would keep the pipe open.
            drop(command);
            let mut suite = String::new();
            for line in BufReader::new(reader).split(b'\n') {
                let line = line.context("cannot read what a part says")?;
                let line = String::from_utf8_lossy(&line);
                say(&line);
                report.note(timing(&without_colours(&line), &mut suite));
            }
            Ok(child.wait().context("cannot wait for a part")?.success())
        })
    }

    /// Does `work` as one part, and tells whether it succeeded.
    #[expect(
        clippy::disallowed_methods,
        reason = "measures this run for the person who waits for it"
    )]
    pub(crate) fn part(
        &mut self,
        name: &str,
        work: impl FnOnce(&mut Self) -> anyhow::Result<bool>,
    ) -> anyhow::Result<bool> {
        say(format_args!("── {name}"));
        let start = Instant::now();
        let passed = work(self)?;
        self.add(name, start.elapsed(), passed);
        Ok(passed)
    }

    /// Notes a part that could not run because one before it failed.
    pub(crate) fn skip(&mut self, name: &str) {
        self.parts.push(Part {
            timing: Timing {
                name: name.to_owned(),
                took: Duration::ZERO,
            },
            outcome: Outcome::Skipped,
        });
    }

    /// Says whether every part ran and passed.
    pub(crate) fn is_green(&self) -> bool {
        let passed = |part: &Part| part.outcome == Outcome::Passed;
        self.parts.iter().all(passed)
    }

    /// Shows the slowest parts and how it all went.
    pub(crate) fn print(&self) {
        let slowest = self.slowest();
        if slowest.len() > 1 {
            say(format_args!("\nslowest parts"));
            for Timing { name, took } in slowest {
                say(format_args!("{:>9.2} s  {name}", took.as_secs_f64()));
            }
        }
        say(format_args!("\n{}", self.summary()));
    }

    fn add(&mut self, name: &str, took: Duration, passed: bool) {
        self.parts.push(Part {
            timing: Timing {
                name: name.to_owned(),
                took,
            },
            outcome: if passed {
                Outcome::Passed
            } else {
                Outcome::Failed
            },
        });
    }

    /// Keeps a test's timing once: runners show the failed ones again at their end.
    fn note(&mut self, test: Option<Timing>) {
        let new = test.filter(|test| !self.tests.contains(test));
        self.tests.extend(new);
    }

    fn slowest(&self) -> Vec<Timing> {
        let parts = self
            .parts
            .iter()
            .filter(|part| part.outcome != Outcome::Skipped)
            .map(|part| &part.timing);
        let mut all: Vec<Timing> = parts.chain(&self.tests).cloned().collect();
        all.sort_by_key(|timing| std::cmp::Reverse(timing.took));
        all.truncate(SHOWN);
        all
    }

    fn summary(&self) -> String {
        let names = |outcome| {
            let parts = self.parts.iter().filter(|part| part.outcome == outcome);
            let names: Vec<&str> = parts.map(|part| part.timing.name.as_str()).collect();
            names.join(", ")
        };
        let failed = names(Outcome::Failed);
        let skipped = names(Outcome::Skipped);
        match (failed.as_str(), skipped.as_str()) {
            ("", "") => format!("ok: {}", names(Outcome::Passed)),
            (failed, "") => format!("FAILED: {failed}"),
            ("", skipped) => format!("FAILED: could not run: {skipped}"),
            (failed, skipped) => format!("FAILED: {failed}; could not run: {skipped}"),
        }
    }
}

/// Reads how long a test took from its runner's line: one test of nextest's, one file of cargo's.
fn timing(line: &str, suite: &mut String) -> Option<Timing> {
    let line = line.trim();
    if let Some(started) = line.strip_prefix("Running ") {
        *suite = file_of_tests(started);
        return None;
    }
    if let Some(crate_name) = line.strip_prefix("Doc-tests ") {
        *suite = format!("examples of {crate_name}");
        return None;
    }
    if line.starts_with("test result: ") {
        let (_, seconds) = line.rsplit_once("finished in ")?;
        return Some(Timing {
            name: suite.clone(),
            took: seconds_of(seconds.strip_suffix('s')?)?,
        });
    }
    // `PASS [   0.012s] ( 1/13) store commit::tests::name`
    let (verdict, rest) = line.split_once(" [")?;
    if !matches!(verdict, "PASS" | "LEAK" | "FLAKY" | "FAIL" | "TIMEOUT") {
        return None;
    }
    let (seconds, rest) = rest.split_once("s] ")?;
    let name = match rest.trim_start().strip_prefix('(') {
        Some(counted) => counted.split_once(") ")?.1,
        None => rest,
    };
    Some(Timing {
        name: name.trim().to_owned(),
        took: seconds_of(seconds)?,
    })
}

/// Names the crate too: `unittests src/lib.rs (target/debug/deps/store-67d9)` says it at its end.
fn file_of_tests(started: &str) -> String {
    let (source, program) = started.split_once(" (").unwrap_or((started, ""));
    let program = program.rsplit('/').next().unwrap_or_default();
    let name = program.rsplit_once('-').map_or(program, |(name, _)| name);
    format!("{name} {source}").trim_start().to_owned()
}

fn seconds_of(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.trim().parse().ok()?).ok()
}

#[cfg(test)]
mod tests;

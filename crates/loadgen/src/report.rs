//! Figures, side by side.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fs,
    io::{self, Write},
    path::PathBuf,
    time::Duration,
};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::faults::Faults;

/// The figures of one server, by name, one for each round.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Figures(BTreeMap<Cow<'static, str>, Vec<f64>>);

impl Figures {
    pub(crate) fn add(&mut self, name: impl Into<Cow<'static, str>>, value: f64) {
        self.0.entry(name.into()).or_default().push(value);
    }

    /// Adds the median and the 99th percentile of what one round's requests took.
    pub(crate) fn add_latencies(&mut self, what: &str, mut latencies: Vec<Duration>) {
        latencies.sort_unstable();
        let ms = |share| millis(percentile(&latencies, share));
        self.add(format!("{what} p50, ms"), ms(0.5));
        self.add(format!("{what} p99, ms"), ms(0.99));
    }

    /// How many rounds have this figure.
    pub(crate) fn rounds(&self, name: &str) -> usize {
        self.0.get(name).map_or(0, Vec::len)
    }

    /// The round in the middle: one that was disturbed does not count.
    fn median(&self, name: &str) -> Option<f64> {
        let mut values = self.0.get(name)?.clone();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    }
}

#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) servers: Vec<Measured>,
    #[serde(skip)]
    pub(crate) json: Option<PathBuf>,
}

#[derive(Serialize)]
pub(crate) struct Measured {
    pub(crate) url: String,
    pub(crate) figures: Figures,
    pub(crate) faults: Faults,
}

impl Report {
    pub(crate) fn is_clean(&self) -> bool {
        self.servers.iter().all(|server| server.faults.is_none())
    }

    /// Prints one line for each figure: the median of the rounds, all rounds, and the ratio.
    pub(crate) fn print(&self) -> Result<()> {
        if let Some(path) = &self.json {
            fs::write(path, serde_json::to_vec_pretty(self)?)?;
        }
        let mut out = io::stdout().lock();
        for server in &self.servers {
            writeln!(out, "{}", server.url)?;
            for (name, rounds) in &server.figures.0 {
                let median = server.figures.median(name).unwrap_or_default();
                let rounds: Vec<String> = rounds.iter().map(|value| short(*value)).collect();
                writeln!(
                    out,
                    "  {name:<44} {:>10}   ({})",
                    short(median),
                    rounds.join(" ")
                )?;
            }
            writeln!(out, "  {:?}", server.faults)?;
        }
        if let [ours, theirs] = self.servers.as_slice() {
            writeln!(out, "first / second")?;
            for name in ours.figures.0.keys() {
                let (first, second) = (ours.figures.median(name), theirs.figures.median(name));
                if let (Some(first), Some(second)) = (first, second) {
                    writeln!(out, "  {name:<44} {:>10}", short(first / second))?;
                }
            }
        }
        Ok(())
    }
}

/// Three significant figures or so.
fn short(value: f64) -> String {
    match value.abs() {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        0.1.. => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

/// The value below which a share of the sorted values lies.
pub(crate) fn percentile(sorted: &[Duration], share: f64) -> Duration {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index into a list that fits into memory"
    )]
    let index = (sorted.len() as f64 * share) as usize;
    let last = sorted.len().saturating_sub(1);
    sorted.get(index.min(last)).copied().unwrap_or_default()
}

pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[expect(clippy::cast_precision_loss, reason = "a count of requests")]
pub(crate) fn count(count: usize) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "a size of memory")]
pub(crate) fn mib(bytes: u64) -> f64 {
    bytes as f64 / 1_048_576.0
}

pub(crate) fn complain(error: &anyhow::Error) -> io::Result<()> {
    writeln!(io::stderr(), "{error:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn durations(millis: impl IntoIterator<Item = u64>) -> Vec<Duration> {
        millis.into_iter().map(Duration::from_millis).collect()
    }

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let hundred = durations(1..=100);
        assert_eq!(percentile(&hundred, 0.5), Duration::from_millis(51));
        assert_eq!(percentile(&hundred, 0.99), Duration::from_millis(100));
        assert_eq!(percentile(&hundred, 1.0), Duration::from_millis(100));
        assert_eq!(percentile(&durations([7]), 0.99), Duration::from_millis(7));
        assert_eq!(percentile(&[], 0.5), Duration::ZERO);
    }

    #[test]
    fn one_disturbed_round_does_not_count() {
        let mut figures = Figures::default();
        for value in [2.0, 90.0, 1.0] {
            figures.add("rate", value);
        }
        assert_eq!(figures.median("rate"), Some(2.0));
        assert_eq!(figures.median("another"), None);
        assert_eq!((figures.rounds("rate"), figures.rounds("another")), (3, 0));
    }

    #[test]
    fn latencies_are_added_in_any_order() {
        let mut figures = Figures::default();
        figures.add_latencies("send", durations([30, 10, 20]));
        assert_eq!(figures.median("send p50, ms"), Some(20.0));
        assert_eq!(figures.median("send p99, ms"), Some(30.0));
    }

    #[test]
    fn figures_are_read_again_as_they_were_written() {
        let mut figures = Figures::default();
        figures.add("a rate", 1.5);
        figures.add("a rate", 2.5);
        let json = serde_json::to_string(&figures).unwrap();
        assert_eq!(json, r#"{"a rate":[1.5,2.5]}"#);
        let mut again: Figures = serde_json::from_str(&json).unwrap();
        again.add("a rate", 0.5);
        assert_eq!(again.median("a rate"), Some(1.5));
    }

    #[test]
    fn three_figures_are_enough() {
        let shown = [1234.5, 56.78, 3.456, 0.012_34].map(short);
        assert_eq!(shown, ["1234", "56.8", "3.46", "0.0123"]);
    }
}

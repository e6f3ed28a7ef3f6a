//! Figures, side by side.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    path::PathBuf,
    time::Duration,
};

use anyhow::Result;
use serde::Serialize;

/// The figures of one server, by name, one for each round.
#[derive(Default, Serialize)]
pub(crate) struct Figures(BTreeMap<&'static str, Vec<f64>>);

impl Figures {
    pub(crate) fn add(&mut self, name: &'static str, value: f64) {
        self.0.entry(name).or_default().push(value);
    }

    /// The round in the middle: one that was disturbed does not count.
    fn median(&self, name: &str) -> Option<f64> {
        let mut values = self.0.get(name)?.clone();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    }
}

/// What reading back found.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Faults {
    pub(crate) lost: usize,
    pub(crate) doubled: usize,
    pub(crate) reordered: usize,
    pub(crate) altered: usize,
}

impl Faults {
    pub(crate) fn add(&mut self, other: Self) {
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.reordered += other.reordered;
        self.altered += other.altered;
    }

    fn is_none(self) -> bool {
        self.lost + self.doubled + self.reordered + self.altered == 0
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

pub(crate) fn complain(error: &anyhow::Error) -> io::Result<()> {
    writeln!(io::stderr(), "{error:#}")
}

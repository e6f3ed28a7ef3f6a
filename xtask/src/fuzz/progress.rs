//! How far a fuzzer came, as its log tells.

use std::fmt;

/// The figures of a run; absent ones were not in the log.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    executions: Option<u64>,
    edges: Option<u64>,
}

impl Progress {
    /// Reads the log of libFuzzer: lines such as `#1024 REDUCE cov: 210 ft: 300 …` while it runs,
    /// and `stat::number_of_executed_units: 1024` at its end.
    pub(super) fn read(log: &str) -> Self {
        let mut progress = Self::default();
        for line in log.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let counted = words.first().and_then(|word| word.strip_prefix('#'));
            if let Some(executions) = counted.and_then(|count| count.parse().ok()) {
                progress.executions = Some(executions);
            }
            if let Some(executions) = number_behind(&words, "stat::number_of_executed_units:") {
                progress.executions = Some(executions);
            }
            if let Some(edges) = number_behind(&words, "cov:") {
                progress.edges = Some(edges);
            }
        }
        progress
    }
}

fn number_behind(words: &[&str], name: &str) -> Option<u64> {
    let at = words.iter().position(|word| *word == name)?;
    words.get(at + 1)?.parse().ok()
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |number: Option<u64>| number.map_or("no".to_owned(), |it| it.to_string());
        let (executions, edges) = (shown(self.executions), shown(self.edges));
        write!(f, "{executions} executions, {edges} edges")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_figures_count() {
        let log = "INFO: Seed: 1\n#2\tINITED cov: 90 ft: 100 corp: 1/1b\n\
                   #2048\tNEW    cov: 210 ft: 300 corp: 20/1Kb\n#3000\tDONE   cov: 210 ft: 300\n\
                   stat::number_of_executed_units: 3001\nstat::peak_rss_mb: 40\n";
        let read = Progress::read(log);
        assert_eq!(read.to_string(), "3001 executions, 210 edges");
        let broken_off = Progress::read(&log[..log.find("#3000").unwrap()]);
        assert_eq!(broken_off.to_string(), "2048 executions, 210 edges");
    }

    #[test]
    fn a_log_without_figures_has_none() {
        let nothing = Progress::read("error: could not compile\n");
        assert_eq!(nothing.to_string(), "no executions, no edges");
    }
}

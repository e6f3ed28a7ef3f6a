//! What a check has found: a verdict and a sentence, on one line.

use std::fmt::{self, Display};

use serde::Serialize;

/// How something stands, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    /// As it should be.
    Ok,
    /// It works, and somebody may want to know.
    Warning,
    /// It does not work, or will not.
    Wrong,
}

/// One line of a report.
#[derive(Debug, Serialize)]
pub(crate) struct Finding {
    /// How it stands.
    pub(crate) verdict: Verdict,
    /// What was looked at.
    pub(crate) check: &'static str,
    /// What is so, and what to do about it.
    pub(crate) says: String,
}

/// What some checks have found, in their order.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<Finding>);

impl Findings {
    pub(super) fn ok(&mut self, check: &'static str, says: impl Display) {
        self.add(Verdict::Ok, check, says);
    }

    pub(super) fn warning(&mut self, check: &'static str, says: impl Display) {
        self.add(Verdict::Warning, check, says);
    }

    pub(super) fn wrong(&mut self, check: &'static str, says: impl Display) {
        self.add(Verdict::Wrong, check, says);
    }

    pub(super) fn add(&mut self, verdict: Verdict, check: &'static str, says: impl Display) {
        // Servers and certificates say what they like: it stays one line, and orders a terminal
        // about in nothing.
        let says = says.to_string();
        let says = says.chars().map(|letter| match letter.is_control() {
            true => ' ',
            false => letter,
        });
        self.0.push(Finding {
            verdict,
            check,
            says: says.collect(),
        });
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.0.iter()
    }

    pub(super) fn append(&mut self, mut more: Self) {
        self.0.append(&mut more.0);
    }

    /// How many have this verdict.
    pub(crate) fn count(&self, verdict: Verdict) -> usize {
        let them = self.0.iter();
        them.filter(|finding| finding.verdict == verdict).count()
    }

    /// The worst of them.
    pub(crate) fn verdict(&self) -> Verdict {
        let verdicts = self.0.iter().map(|finding| finding.verdict);
        verdicts.max().unwrap_or(Verdict::Ok)
    }
}

impl Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Verdict::Ok => "ok",
            Verdict::Warning => "warning",
            Verdict::Wrong => "wrong",
        };
        write!(formatter, "{verdict:<8} {}: {}", self.check, self.says)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_server_says_is_one_line_without_orders_to_a_terminal() {
        let mut findings = Findings::default();
        findings.ok("bus", "fine");
        findings.warning("bus", "a\nwrong    files: \u{1b}[31mred\r");
        let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "ok       bus: fine",
                "warning  bus: a wrong    files:  [31mred "
            ]
        );
        assert_eq!(findings.verdict(), Verdict::Warning);
    }
}

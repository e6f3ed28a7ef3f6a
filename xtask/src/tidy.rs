//! The rules of the house that the compiler does not know, checked by reading the files.

mod documents;
mod floors;
mod lengths;
mod migrations;
mod sources;
mod tree;

use std::fmt;

pub(crate) use lengths::longest;
pub(crate) use tree::Tree;

/// A place where a rule is broken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    path: String,
    line: Option<usize>,
    what: String,
}

impl Finding {
    fn in_file(path: &str, what: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line: None,
            what: what.into(),
        }
    }

    /// `index` counts lines from zero, as iterators do.
    fn at_line(path: &str, index: usize, what: impl Into<String>) -> Self {
        Self {
            line: Some(index + 1),
            ..Self::in_file(path, what)
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.path, self.what),
            None => write!(f, "{}: {}", self.path, self.what),
        }
    }
}

/// Applies every rule to the tree.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let rules = [
        floors::check,
        sources::first_line,
        sources::leftovers,
        sources::places,
        migrations::check,
        documents::links,
        documents::readmes,
    ];
    let mut findings: Vec<Finding> = rules.iter().flat_map(|rule| rule(tree)).collect();
    findings.sort();
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_tidy() {
        let tree = Tree::read(crate::cargo::root()).unwrap();
        let findings: Vec<String> = check(&tree).iter().map(Finding::to_string).collect();
        assert!(findings.is_empty(), "\n{}", findings.join("\n"));
    }

    #[test]
    fn a_finding_reads_as_path_line_and_reason() {
        assert_eq!(
            Finding::at_line("a.rs", 0, "bad").to_string(),
            "a.rs:1: bad"
        );
        assert_eq!(Finding::in_file("a.rs", "bad").to_string(), "a.rs: bad");
    }
}

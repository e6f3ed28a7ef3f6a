//! The longest files and functions: questions to ask oneself, not findings.

use std::fmt::Write as _;

use super::Tree;

/// How many of each are shown.
const SHOWN: usize = 10;

/// Lists the longest files and functions.
pub(crate) fn longest(tree: &Tree) -> String {
    let mut files = Vec::new();
    let mut functions = Vec::new();
    for (path, text) in tree.ending(".rs") {
        files.push((text.lines().count(), path.to_owned()));
        functions
            .extend(functions_of(text).map(|(lines, name)| (lines, format!("{name} ({path})"))));
    }
    let mut shown = String::new();
    for (title, entries) in [("longest files", files), ("longest functions", functions)] {
        let _ = writeln!(shown, "{title}, for information");
        for (lines, name) in top(entries) {
            let _ = writeln!(shown, "{lines:>6}  {name}");
        }
    }
    shown.trim_end().to_owned()
}

fn top(mut entries: Vec<(usize, String)>) -> Vec<(usize, String)> {
    entries.sort_by(|a, b| b.cmp(a));
    entries.truncate(SHOWN);
    entries
}

/// Functions and how many lines they have. Code is formatted, so that a function ends at the brace
/// that is indented as deep as its first line.
fn functions_of(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines: Vec<&str> = text.lines().collect();
    (0..lines.len())
        .filter_map(|start| {
            let name = function_name(lines[start])?;
            let indent = indent(lines[start]);
            let ends = |line: &&str| {
                let code = line.trim_start();
                self::indent(line) == indent && (code == "}" || code.ends_with(';'))
            };
            let length = lines[start..].iter().position(ends)?;
            Some((length + 1, name))
        })
        .collect::<Vec<_>>()
        .into_iter()
}

fn function_name(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("fn ")?;
    let qualifiers = [
        "pub",
        "pub(crate)",
        "pub(super)",
        "const",
        "async",
        "extern",
        "default",
    ];
    let mut words = before.split_whitespace();
    if !words.all(|word| qualifiers.contains(&word)) {
        return None;
    }
    after.split(['(', '<']).next()
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "//! A.
/// Not a fn of its own.
pub(crate) async fn long<T>(
    a: T,
) -> T {
    let b = || {
        a
    };
    b()
}
trait T {
    fn declared(&self);
    fn given(&self) {
    }
}
";

    #[test]
    fn functions_are_measured_from_their_first_line_to_their_brace() {
        let found: Vec<(usize, &str)> = functions_of(CODE).collect();
        assert_eq!(found, [(8, "long"), (1, "declared"), (2, "given")]);
    }

    #[test]
    fn the_longest_come_first_and_only_ten() {
        let entries = (0..12).map(|lines| (lines, String::new())).collect();
        let shown: Vec<usize> = top(entries).into_iter().map(|(lines, _)| lines).collect();
        assert_eq!(shown, [11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
        assert!(longest(&Tree::of([("a.rs", CODE)])).contains("     8  long (a.rs)"));
    }
}

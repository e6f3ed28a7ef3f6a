//! What source files begin with, and what no file holds.

use super::{Finding, Tree};

/// What is fine while writing and not in what is kept; spelt in halves, or it would find itself.
const LEFTOVERS: [&str; 6] = [
    concat!("to", "do!"),
    concat!("unimple", "mented!"),
    concat!("db", "g!"),
    concat!("#[ig", "nore"),
    concat!("#[al", "low("),
    concat!("#![al", "low("),
];

/// Folders of one machine.
const MACHINE_PATHS: [&str; 3] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
];

/// Hosts that packages come from: a mirror must be able to stand in for them.
const REGISTRIES: [&str; 8] = [
    concat!("index.cra", "tes.io"),
    concat!("static.cra", "tes.io"),
    concat!("crates.io-", "index"),
    concat!("py", "pi.org"),
    concat!("python", "hosted.org"),
    concat!("npm", "js"),
    concat!("deb.deb", "ian.org"),
    concat!("security.deb", "ian.org"),
];

/// Each Rust file says first what it owns.
pub(super) fn first_line(tree: &Tree) -> Vec<Finding> {
    tree.ending(".rs")
        .filter(|(_, text)| !text.starts_with("//! "))
        .map(|(path, _)| Finding::at_line(path, 0, "the file does not begin with a `//! ` line"))
        .collect()
}

/// No Rust file holds what was meant to go away again, or switches a lint off for good.
pub(super) fn leftovers(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.ending(".rs") {
        for (index, line) in text.lines().enumerate() {
            let found = LEFTOVERS
                .iter()
                .filter(|word| stands_alone(line, word, is_of_name));
            findings.extend(
                found.map(|word| Finding::at_line(path, index, format!("`{word}` is left over"))),
            );
        }
    }
    findings
}

/// No file names a folder of one machine or a registry's host.
pub(super) fn places(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.texts().filter(|(path, _)| !is_lock_file(path)) {
        for (index, line) in text.lines().enumerate() {
            let folders = MACHINE_PATHS
                .iter()
                .filter(|folder| stands_alone(line, folder, is_of_path));
            let hosts = REGISTRIES.iter().filter(|host| line.contains(**host));
            findings.extend(folders.chain(hosts).map(|place| {
                Finding::at_line(path, index, format!("`{place}` holds on one machine only"))
            }));
        }
    }
    findings
}

/// Lock files are written by tools, which put hosts there.
fn is_lock_file(path: &str) -> bool {
    path.ends_with(".lock") || path.ends_with("-lock.json") || path.ends_with("-lock.yaml")
}

/// Says whether `word` occurs where the character before it does not belong to it.
fn stands_alone(line: &str, word: &str, belongs: fn(char) -> bool) -> bool {
    line.match_indices(word)
        .any(|(at, _)| !line[..at].ends_with(belongs))
}

fn is_of_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// `src/home/` and `{folder}/home/` are parts of longer paths.
fn is_of_path(character: char) -> bool {
    character.is_alphanumeric() || "_-.})*".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_its_first_line_is_found() {
        let tree = Tree::of([
            ("crates/a/src/good.rs", "//! Good.\n"),
            ("crates/a/src/bad.rs", "use std;\n//! Late.\n"),
            ("crates/a/src/empty.rs", ""),
            ("notes.md", "no"),
        ]);
        let found: Vec<String> = first_line(&tree).into_iter().map(|f| f.path).collect();
        assert_eq!(found, ["crates/a/src/bad.rs", "crates/a/src/empty.rs"]);
    }

    #[test]
    fn every_leftover_is_found_where_it_stands_alone() {
        for word in LEFTOVERS {
            let text = format!("//! A.\nfn a() {{\n    {word}\n}}\n");
            let found = leftovers(&Tree::of([("a.rs", &text)]));
            assert_eq!(found.len(), 1, "{word}");
            assert_eq!(found[0].line, Some(3));
            assert_eq!(leftovers(&Tree::of([("a.md", &text)])), []);
        }
        let longer = format!("my_{}()", LEFTOVERS[0]);
        assert_eq!(leftovers(&Tree::of([("a.rs", &longer)])), []);
    }

    #[test]
    fn every_machine_path_and_registry_is_found_in_any_file() {
        for place in MACHINE_PATHS.iter().chain(&REGISTRIES) {
            let text = format!("see `{place}x`");
            assert!(
                !places(&Tree::of([("docs/a.md", &text)])).is_empty(),
                "{place}"
            );
            assert_eq!(places(&Tree::of([("Cargo.lock", &text)])), []);
            assert_eq!(places(&Tree::of([("web/package-lock.json", &text)])), []);
        }
    }

    #[test]
    fn a_folder_inside_of_the_repository_is_no_machine_path() {
        for folder in MACHINE_PATHS {
            let text = format!("see src{folder}page.tsx and ${{base}}{folder}page");
            assert_eq!(places(&Tree::of([("docs/a.md", &text)])), []);
        }
    }
}

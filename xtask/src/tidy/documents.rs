//! Documents: their links lead somewhere, and the README says the same in both languages.

use super::{Finding, Tree};

const ENGLISH: &str = "README.md";
const CHINESE: &str = "README.zh-CN.md";

/// Every relative link in a Markdown file names a file or folder of the repository.
pub(super) fn links(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.ending(".md") {
        for (index, line) in prose(text) {
            let dead = targets(line)
                .into_iter()
                .filter(|target| !leads_somewhere(tree, path, target));
            findings.extend(dead.map(|target| {
                Finding::at_line(path, index, format!("the link to `{target}` leads nowhere"))
            }));
        }
    }
    findings
}

/// The README stands in both languages, section by section.
pub(super) fn readmes(tree: &Tree) -> Vec<Finding> {
    let count = |path| {
        Some(
            prose(tree.text(path)?)
                .filter(|(_, line)| is_heading(line))
                .count(),
        )
    };
    match (count(ENGLISH), count(CHINESE)) {
        (Some(english), Some(chinese)) if english == chinese => Vec::new(),
        (Some(english), Some(chinese)) => {
            let what = format!("{chinese} headings here, and {english} in {ENGLISH}");
            vec![Finding::in_file(CHINESE, what)]
        }
        (english, chinese) => [(ENGLISH, english), (CHINESE, chinese)]
            .into_iter()
            .filter(|(_, count)| count.is_none())
            .map(|(path, _)| Finding::in_file(path, "the README is missing in this language"))
            .collect(),
    }
}

/// The lines of a document that are not inside of a fenced block, with their indexes.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fence: Option<&str> = None;
    text.lines().enumerate().filter(move |(_, line)| {
        let start = line.trim_start();
        let mark = ["```", "~~~"]
            .into_iter()
            .find(|mark| start.starts_with(mark));
        match (fence, mark) {
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), Some(mark)) if open == mark => fence = None,
            (None, None) => return true,
            _ => {}
        }
        false
    })
}

fn is_heading(line: &str) -> bool {
    let hashes = line.bytes().take_while(|byte| *byte == b'#').count();
    (1..=6).contains(&hashes) && line[hashes..].starts_with(' ')
}

/// What the links of a line point to: `[text](target)` and `[name]: target`, not in `code`.
fn targets(line: &str) -> Vec<String> {
    let line: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
    let inline = line
        .match_indices("](")
        .filter_map(|(at, _)| line[at + 2..].split(')').next());
    let reference = line
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("]: "))
        .map(|(_, target)| target);
    inline
        .chain(reference)
        .filter_map(|target| target.split_whitespace().next())
        .map(|target| target.trim_matches(['<', '>']).to_owned())
        .collect()
}

fn leads_somewhere(tree: &Tree, from: &str, target: &str) -> bool {
    let path = target.split(['#', '?']).next().unwrap_or_default();
    if path.is_empty() || is_elsewhere(target) {
        return true;
    }
    let mut folders: Vec<&str> = from.split('/').collect();
    folders.pop();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." if folders.pop().is_none() => return false,
            ".." => {}
            name => folders.push(name),
        }
    }
    // An absolute path would name a file of the reader's machine.
    !path.starts_with('/') && tree.has(&folders.join("/"))
}

/// Says whether a link has a scheme, such as `https:` or `mailto:`.
fn is_elsewhere(target: &str) -> bool {
    target.split_once(':').is_some_and(|(scheme, _)| {
        !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dead(from: &str, text: &str) -> usize {
        let tree = Tree::of([
            (from, text),
            ("docs/security/at-rest.md", ""),
            ("LICENSE", ""),
        ]);
        links(&tree).len()
    }

    #[test]
    fn links_to_files_folders_headings_and_other_hosts_are_right() {
        for link in [
            "[a](docs/security/at-rest.md)",
            "[a](./docs/security/at-rest.md#columns)",
            "[a](docs/security/)",
            "[a](#here) and [b](https://example.org/x) and [c](mailto:a@example.org)",
            "[a]: LICENSE \"the licence\"",
            "`[a](nowhere)`",
            "```\n[a](nowhere)\n```",
        ] {
            assert_eq!(dead("README.md", link), 0, "{link}");
        }
        assert_eq!(
            dead("docs/index.md", "[a](security/at-rest.md) [b](../LICENSE)"),
            0
        );
    }

    #[test]
    fn links_that_lead_nowhere_are_found() {
        for link in [
            "[a](docs/security/at-reset.md)",
            "[a](LICENSE) [b](COPYING)",
            "[a](/LICENSE)",
            "[a](../LICENSE)",
            "[a]: COPYING",
            "```\n```\n[a](nowhere)",
        ] {
            assert_eq!(dead("README.md", link), 1, "{link}");
        }
    }

    #[test]
    fn the_readme_stands_in_both_languages_with_the_same_sections() {
        let english = "# A\n```sh\n# a comment\n```\n## B\n#hash\n";
        let same = Tree::of([(ENGLISH, english), (CHINESE, "# 甲\n## 乙\n")]);
        assert_eq!(readmes(&same), []);
        let fewer = Tree::of([(ENGLISH, english), (CHINESE, "# 甲\n")]);
        assert_eq!(readmes(&fewer).len(), 1);
        assert_eq!(readmes(&Tree::of([(ENGLISH, english)])).len(), 1);
        assert_eq!(readmes(&Tree::default()).len(), 2);
    }
}

//! Migrations are numbered without gaps, go forward only, and do not change once released.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::{Finding, Tree};

/// The list of released migrations in each folder of them, in the format of `sha256sum`.
const CHECKSUMS: &str = "CHECKSUMS";

/// Checks each crate's `migrations` folder.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut folders: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (path, _) in tree.texts().filter(|(path, _)| path.starts_with("crates/")) {
        if let Some((folder, file)) = path.rsplit_once('/')
            && folder.ends_with("/migrations")
        {
            folders.entry(folder).or_default().push(file);
        }
    }
    let mut findings = Vec::new();
    for (folder, files) in folders {
        findings.extend(check_numbers(folder, &files));
        findings.extend(check_frozen(tree, folder));
    }
    findings
}

/// `files` come sorted, so their numbers must be 1, 2, 3 and so on.
fn check_numbers(folder: &str, files: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut expected = 1;
    for file in files.iter().filter(|file| **file != CHECKSUMS) {
        let path = format!("{folder}/{file}");
        match number(file) {
            None => findings.push(Finding::in_file(
                &path,
                "a migration is named `0001_what_it_adds.sql` and goes forward only",
            )),
            Some(number) if number != expected => {
                let what = format!("this should be number {expected:04}");
                findings.push(Finding::in_file(&path, what));
                expected = number + 1;
            }
            Some(_) => expected += 1,
        }
    }
    findings
}

fn number(file: &str) -> Option<u32> {
    let (digits, name) = file.strip_suffix(".sql")?.split_once('_')?;
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let is_backwards = ["down", "rollback", "revert"]
        .iter()
        .any(|word| name.ends_with(word));
    let is_well_formed = digits.len() == 4 && !name.is_empty() && name.chars().all(is_name);
    if !is_well_formed || is_backwards {
        return None;
    }
    digits.parse().ok()
}

fn check_frozen(tree: &Tree, folder: &str) -> Vec<Finding> {
    let list = format!("{folder}/{CHECKSUMS}");
    let lines = tree.text(&list).unwrap_or_default().lines().enumerate();
    let wrong = lines.filter_map(|(index, line)| {
        let Some((checksum, file)) = line.split_once("  ") else {
            return Some(Finding::at_line(&list, index, "not a line of `sha256sum`"));
        };
        let Some(text) = tree.text(&format!("{folder}/{file}")) else {
            let what = format!("the released migration `{file}` is gone");
            return Some(Finding::at_line(&list, index, what));
        };
        (checksum != sha256(text)).then(|| {
            let what = "this migration is released and must not change: add another";
            Finding::in_file(&format!("{folder}/{file}"), what)
        })
    });
    wrong.collect()
}

fn sha256(text: &str) -> String {
    let digest = Sha256::digest(text);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOLDER: &str = "crates/store/migrations";

    fn complaints(files: &[(&str, &str)]) -> Vec<String> {
        let in_folder = files
            .iter()
            .map(|(name, text)| (format!("{FOLDER}/{name}"), *text));
        let tree = Tree::of(in_folder);
        check(&tree).iter().map(Finding::to_string).collect()
    }

    #[test]
    fn numbers_without_gaps_are_right() {
        assert!(complaints(&[("0001_log.sql", ""), ("0002_rooms_2.sql", "")]).is_empty());
    }

    #[test]
    fn gaps_twins_and_other_names_are_found() {
        for wrong in [
            &["0002_log.sql"][..],
            &["0001_log.sql", "0003_rooms.sql"],
            &["0001_log.sql", "0001_rooms.sql"],
            &["1_log.sql"],
            &["0001_Log.sql"],
            &["0001_log.down.sql"],
            &["0001_log_down.sql"],
            &["0001_log.sqlite"],
            &["0001_.sql"],
        ] {
            let files: Vec<(&str, &str)> = wrong.iter().map(|name| (*name, "")).collect();
            assert_eq!(complaints(&files).len(), 1, "{wrong:?}");
        }
    }

    #[test]
    fn a_released_migration_is_frozen() {
        // What `sha256sum` says of a file with the three bytes `abc`.
        let line =
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  0001_log.sql\n";
        let frozen = (CHECKSUMS, line);
        assert!(complaints(&[("0001_log.sql", "abc"), frozen]).is_empty());
        assert!(complaints(&[("0001_log.sql", "abc"), ("0002_new.sql", "x"), frozen]).is_empty());
        let changed = complaints(&[("0001_log.sql", "abd"), frozen]);
        assert_eq!(changed.len(), 1);
        assert!(changed[0].contains("must not change"));
        assert_eq!(complaints(&[frozen]).len(), 1);
        assert_eq!(complaints(&[(CHECKSUMS, "what")]).len(), 1);
    }
}

//! The files that the rules are applied to.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use anyhow::{Context as _, ensure};

/// The text files of the repository, by their paths from its root; other files are only names.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    files: BTreeMap<String, Option<String>>,
}

impl Tree {
    /// Reads what git tracks, and what it would track if it were added.
    pub(crate) fn read(root: &Path) -> anyhow::Result<Self> {
        let listing = Command::new("git")
            // The clone may belong to another account, as in a container.
            .args(["-c", "safe.directory=*", "ls-files", "-z"])
            .args(["--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .context("cannot start git, which knows the repository's files")?;
        ensure!(
            listing.status.success(),
            "git does not list the repository's files: {}",
            String::from_utf8_lossy(&listing.stderr).trim_end(),
        );
        let paths = String::from_utf8(listing.stdout).context("a file's name is not UTF-8")?;
        let mut tree = Self::default();
        for path in paths.split_terminator('\0') {
            // A file can be deleted and still be tracked.
            if let Ok(bytes) = fs::read(root.join(path)) {
                tree.files
                    .insert(path.to_owned(), String::from_utf8(bytes).ok());
            }
        }
        Ok(tree)
    }

    /// Every text file: its path and its text.
    pub(super) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        let files = self.files.iter();
        files.filter_map(|(path, text)| Some((path.as_str(), text.as_deref()?)))
    }

    /// The text files whose paths end with `ending`.
    pub(super) fn ending<'a>(
        &'a self,
        ending: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.texts().filter(move |(path, _)| path.ends_with(ending))
    }

    /// The text of one file.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path)?.as_deref()
    }

    /// Says whether there is such a file, or a folder with a file in it.
    pub(super) fn has(&self, path: &str) -> bool {
        let folder = format!("{}/", path.trim_end_matches('/'));
        let mut within = self.files.range(folder.clone()..);
        path.is_empty()
            || self.files.contains_key(path)
            || within
                .next()
                .is_some_and(|(first, _)| first.starts_with(&folder))
    }

    /// A tree made of words alone.
    #[cfg(test)]
    pub(super) fn of<P: Into<String>, T: Into<String>>(
        files: impl IntoIterator<Item = (P, T)>,
    ) -> Self {
        let files = files.into_iter();
        Self {
            files: files
                .map(|(path, text)| (path.into(), Some(text.into())))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_known_by_their_files() {
        let tree = Tree::of([("docs/a/b.md", ""), ("docs-old/c.md", "")]);
        assert!(tree.has("docs") && tree.has("docs/a/") && tree.has("docs/a/b.md"));
        assert!(tree.has(""));
        assert!(!tree.has("doc") && !tree.has("docs/a/b") && !tree.has("docs/c.md"));
    }
}

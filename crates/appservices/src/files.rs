//! Finding registration files, and what is told of those that cannot be used.

use std::{
    fmt,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

/// A registration has a page; a larger file is some other file.
const LARGEST_FILE_BYTES: u64 = 256 * 1024;

/// The name and the text of a file, or why there is none.
pub(crate) type Found = Result<(String, Zeroizing<String>), BadRegistration>;

/// What is wrong with a registration file; it holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRegistration {
    /// The file.
    pub file: String,
    /// Where in it, if it is anywhere.
    pub line: Option<u64>,
    /// What is wrong.
    pub reason: String,
}

impl BadRegistration {
    pub(crate) fn new(file: &str, line: Option<u64>, reason: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line,
            reason: reason.into(),
        }
    }
}

impl fmt::Display for BadRegistration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, reason } = self;
        match line {
            Some(line) => write!(formatter, "{file}:{line}: {reason}"),
            None => write!(formatter, "{file}: {reason}"),
        }
    }
}

/// All that is wrong with the registration files; there is at least one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct BadRegistrations(pub Vec<BadRegistration>);

impl fmt::Display for BadRegistrations {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, refusal) in self.0.iter().enumerate() {
            if index > 0 {
                formatter.write_str("\n")?;
            }
            refusal.fmt(formatter)?;
        }
        Ok(())
    }
}

/// Reads the files behind paths and globs, each once. A path must be there; a glob may find none,
/// so that a folder can be named before there is a bridge.
pub(crate) fn find(patterns: &[PathBuf]) -> Vec<Found> {
    let mut found = Vec::new();
    let mut seen = Vec::new();
    for pattern in patterns {
        for path in matching(pattern) {
            match path {
                Ok(path) if seen.contains(&path) => {}
                Ok(path) => {
                    found.push(read(&path));
                    seen.push(path);
                }
                Err(refusal) => found.push(Err(refusal)),
            }
        }
    }
    found
}

fn matching(pattern: &Path) -> Vec<Result<PathBuf, BadRegistration>> {
    let text = pattern.to_string_lossy();
    // A file whose name looks like a glob is that file.
    if !text.contains(['*', '?', '[']) || pattern.exists() {
        return vec![Ok(pattern.to_owned())];
    }
    match glob::glob(&text) {
        Ok(paths) => paths
            .map(|path| {
                path.map_err(|error| {
                    let name = error.path().to_string_lossy();
                    let reason = format!("cannot be looked into ({})", error.error());
                    BadRegistration::new(&name, None, reason)
                })
            })
            .collect(),
        Err(error) => {
            let reason = format!("is no glob: {}", error.msg);
            vec![Err(BadRegistration::new(&text, None, reason))]
        }
    }
}

fn read(path: &Path) -> Found {
    let name = path.to_string_lossy().into_owned();
    let mut text = Zeroizing::new(String::new());
    let read = File::open(path)
        .and_then(|file| file.take(LARGEST_FILE_BYTES + 1).read_to_string(&mut text));
    match read {
        Err(error) => Err(BadRegistration::new(
            &name,
            None,
            format!("cannot be read ({error})"),
        )),
        Ok(_) if text.len() as u64 > LARGEST_FILE_BYTES => {
            Err(BadRegistration::new(&name, None, "is larger than 256 KiB"))
        }
        Ok(_) => Ok((name, text)),
    }
}

//! Where uploaded files are kept.

use std::path::PathBuf;

use super::{Raw, Rejection, Value, quoted};

/// Where files are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilesUrl {
    /// A folder on this machine.
    Folder(PathBuf),
}

impl Value for FilesUrl {
    fn accepts() -> String {
        "\"file://PATH\"".to_owned()
    }

    fn parse(raw: &Raw) -> Result<Self, Rejection> {
        match raw.text()?.strip_prefix("file://") {
            Some("") => Err(Rejection::new("names no folder after file://")),
            Some(path) if path.contains('\0') => Err(Rejection::new("holds a NUL character")),
            Some(path) => Ok(Self::Folder(PathBuf::from(path))),
            None => Err(Rejection::new(
                "is not the URL of a store this server speaks",
            )),
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Folder(path) => quoted(&format!("file://{}", path.display())),
        }
    }
}

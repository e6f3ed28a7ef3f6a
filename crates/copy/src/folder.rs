//! The folder of a copy: what stands in it, made for its owner alone.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use crate::CopyError;

/// The tables, but for those of the keyring.
pub(crate) const DATABASE: &str = "database.sqlite3";

/// The tables of the keyring.
pub(crate) const KEYRING: &str = "keyring.sqlite3";

/// The digests of the blobs, as `sha256sum` reads them.
pub(crate) const FILE_LIST: &str = "files.sha256";

/// The blobs.
pub(crate) const FILES: &str = "files";

/// What the copy holds; written last.
pub(crate) const MANIFEST: &str = "manifest.json";

/// A folder that holds a copy, or is going to.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    pub(crate) fn of(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    /// Makes the folder, or takes an empty one; nothing that is there is written over.
    pub(crate) fn make(path: &Path) -> Result<Self, CopyError> {
        let failed = |error| CopyError::io("make the folder", path, error);
        match DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let mut entries = fs::read_dir(path).map_err(failed)?;
                if entries.next().is_some() {
                    return Err(CopyError::Refused(format!(
                        "{} is not empty: a copy is never written over, so name a folder that is \
                         new or empty",
                        path.display()
                    )));
                }
                fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(failed)?;
            }
            Err(error) => return Err(failed(error)),
        }
        Ok(Self::of(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn entry(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file of the copy, for its owner alone, durably.
    pub(crate) fn create(&self, name: &str) -> Result<File, CopyError> {
        let path = self.entry(name);
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        made.map_err(|error| CopyError::io("make", &path, error))
    }

    /// Makes the entries of the folder durable, and the folder's own.
    pub(crate) fn sync(&self) -> Result<(), CopyError> {
        let sync = |path: &Path| File::open(path)?.sync_all();
        let failed = |error| CopyError::io("make durable", &self.path, error);
        sync(&self.path).map_err(failed)?;
        let above = match self.path.parent() {
            Some(above) if above != Path::new("") => above,
            _ => Path::new("."),
        };
        match sync(above) {
            // Then somebody else has made the folder, long ago.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            synced => synced.map_err(failed),
        }
    }

    /// Writes the manifest: from now on the copy is whole.
    pub(crate) fn seal_with(&self, manifest: &[u8]) -> Result<(), CopyError> {
        const PART: &str = "manifest.json.part";
        self.sync()?;
        let mut file = self.create(PART)?;
        let (part, whole) = (self.entry(PART), self.entry(MANIFEST));
        let written = file.write_all(manifest).and_then(|()| file.sync_all());
        let named = written.and_then(|()| fs::rename(&part, &whole));
        named.map_err(|error| CopyError::io("write", &whole, error))?;
        self.sync()
    }
}

/// Runs what may block where it may.
pub(crate) async fn blocking<T: Send + 'static>(
    job: impl FnOnce() -> Result<T, CopyError> + Send + 'static,
) -> Result<T, CopyError> {
    let done = tokio::task::spawn_blocking(job).await;
    done.unwrap_or_else(|error| {
        let sentence = format!("a file operation ended early: {error}");
        Err(CopyError::Refused(sentence))
    })
}

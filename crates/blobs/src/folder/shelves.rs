//! The two levels of folders in which blobs stand, made when they are first needed.

use std::{
    collections::HashSet,
    fs::{DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use parking_lot::Mutex;

use crate::{BlobError, BlobId, error::Doing};

#[derive(Debug)]
pub(super) struct Shelves {
    root: PathBuf,
    /// The shelves whose own entries this process has made durable. A folder that exists may
    /// have been made just before a crash, or by another put an instant ago: that it can be
    /// seen does not mean that it is on disk.
    durable: Mutex<HashSet<[u8; 2]>>,
}

impl Shelves {
    pub(super) fn new(root: PathBuf) -> Self {
        Self {
            root,
            durable: Mutex::default(),
        }
    }

    /// The folder of all blobs whose ids begin with this byte.
    pub(super) fn first_level(&self, first_byte: u8) -> PathBuf {
        self.root.join(format!("{first_byte:02x}"))
    }

    fn folder(&self, [first, second]: [u8; 2]) -> PathBuf {
        self.first_level(first).join(format!("{second:02x}"))
    }

    /// Where a blob stands, if it is there.
    pub(super) fn path(&self, id: BlobId) -> PathBuf {
        self.folder(id.shelf()).join(id.to_string())
    }

    /// Moves a finished file to its place; durable when this returns.
    pub(super) fn place(&self, id: BlobId, finished: &Path) -> Result<(), BlobError> {
        self.prepare(id.shelf())
            .doing("make the folder of a blob")?;
        let path = self.path(id);
        // The temporary file of the same name keeps any other put of this id away.
        if path.try_exists().doing("look for a blob")? {
            return Err(BlobError::Exists(id));
        }
        std::fs::rename(finished, &path).doing("give a blob its name")?;
        sync_folder(&self.folder(id.shelf())).doing("make a blob's name durable")
    }

    fn prepare(&self, shelf: [u8; 2]) -> io::Result<()> {
        if self.durable.lock().contains(&shelf) {
            return Ok(());
        }
        make_folders(&self.folder(shelf))?;
        sync_folder(&self.first_level(shelf[0]))?;
        sync_folder(&self.root)?;
        self.durable.lock().insert(shelf);
        Ok(())
    }
}

/// Makes a folder and those above it, for the owner alone.
pub(super) fn make_folders(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Makes the root's own entry durable, and those in it.
pub(super) fn sync_root(root: &Path) -> io::Result<()> {
    sync_folder(root)?;
    // A relative path of one part has an empty parent: the working folder.
    let above = match root.parent() {
        Some(parent) if parent == Path::new("") => Path::new("."),
        Some(parent) => parent,
        None => return Ok(()),
    };
    match sync_folder(above) {
        // Then somebody else has made the root, long ago.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        synced => synced,
    }
}

/// Makes the entries of a folder durable.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

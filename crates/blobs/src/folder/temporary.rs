//! A blob that is still being written: gone when it is dropped before it is published.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, IoSlice, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use tokio::runtime::Handle;

use super::shelves::Shelves;
use crate::{BlobError, BlobId, error::Doing};

#[derive(Debug)]
pub(super) struct Temporary {
    file: File,
    size_bytes: u64,
    path: Unlinked,
}

impl Temporary {
    /// Begins a blob; refuses when another put of the same id is under way.
    pub(super) fn create(path: PathBuf, id: BlobId) -> Result<Self, BlobError> {
        let file = create_new(&path).map_err(|source| {
            if source.kind() == io::ErrorKind::AlreadyExists {
                BlobError::Exists(id)
            } else {
                let doing = "begin a blob";
                BlobError::Io { doing, source }
            }
        })?;
        Ok(Self {
            file,
            size_bytes: 0,
            path: Unlinked(Some(path)),
        })
    }

    pub(super) fn write(mut self, pieces: &[Bytes]) -> Result<Self, BlobError> {
        let mut slices: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
        write_all(&mut self.file, &mut slices).doing("write a blob")?;
        let written = pieces.iter().map(|piece| piece.len() as u64);
        self.size_bytes += written.sum::<u64>();
        Ok(self)
    }

    /// Makes the content durable, then gives it its name, then makes the name durable.
    pub(super) fn publish(mut self, shelves: &Shelves, id: BlobId) -> Result<u64, BlobError> {
        self.file.sync_all().doing("make a blob durable")?;
        if let Some(path) = &self.path.0 {
            shelves.place(id, path)?;
        }
        // What had this name has another one now.
        self.path.0 = None;
        Ok(self.size_bytes)
    }

    /// Removes what was written, on this thread.
    pub(super) fn abandon(mut self) -> Result<(), BlobError> {
        match self.path.0.take() {
            Some(path) => fs::remove_file(path).doing("remove an unfinished blob"),
            None => Ok(()),
        }
    }
}

/// Checks that blobs can be begun in a folder.
pub(super) fn probe(incoming: &Path) -> io::Result<()> {
    let path = incoming.join(format!("probe-{}", std::process::id()));
    match create_new(&path) {
        Ok(_) => fs::remove_file(&path),
        // Left by a process that was killed here: it could write.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Writes a file, reads it back, and removes it, whatever comes of it.
pub(super) fn try_out(path: &Path) -> io::Result<()> {
    const CONTENT: &[u8] = b"probe";
    let mut file = create_new(path)?;
    let tried = file.write_all(CONTENT).and_then(|()| file.sync_all());
    let read = tried.and_then(|()| fs::read(path));
    fs::remove_file(path)?;
    match read? == CONTENT {
        true => Ok(()),
        false => Err(io::Error::other("it gives other bytes than it was given")),
    }
}

/// Writes slices with as few calls as the system allows.
fn write_all(file: &mut File, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
    // Empty slices at the beginning would look like a file that takes nothing.
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        match file.write_vectored(slices) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut slices, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// A path that is removed when it is dropped.
#[derive(Debug)]
struct Unlinked(Option<PathBuf>);

impl Drop for Unlinked {
    fn drop(&mut self) {
        let Some(path) = self.0.take() else { return };
        let remove = move || {
            if let Err(error) = fs::remove_file(&path) {
                // The sweep removes it later.
                tracing::warn!(%error, "an unfinished blob could not be removed");
            }
        };
        // Unlinking a large file may take a while: never on a thread that serves requests.
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(remove)),
            Err(_) => remove(),
        }
    }
}

//! Looking over the folder: what crashed puts have left, and which blobs are old enough to judge.

use std::{
    fs::{self, DirEntry, ReadDir},
    io,
    path::Path,
    time::UNIX_EPOCH,
};

use model::time::Timestamp;

use super::{Folder, blocking};
use crate::{BlobError, BlobId, error::Doing};

impl Folder {
    pub(crate) async fn sweep_temporary(&self, before: Timestamp) -> Result<u64, BlobError> {
        let incoming = self.inner.incoming.clone();
        blocking(move || {
            let mut removed = 0;
            for entry in entries(&incoming).doing("list unfinished blobs")? {
                let entry = entry.doing("list unfinished blobs")?;
                if is_older(&entry, before).doing("read an unfinished blob's age")? {
                    match fs::remove_file(entry.path()) {
                        Ok(()) => removed += 1,
                        // Finished, or swept by another node, in this very moment.
                        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                        Err(error) => return Err(error).doing("remove an unfinished blob"),
                    }
                }
            }
            Ok(removed)
        })
        .await
    }

    pub(crate) async fn written_before(
        &self,
        before: Timestamp,
        first_byte: u8,
    ) -> Result<Vec<BlobId>, BlobError> {
        let level = self.inner.shelves.first_level(first_byte);
        blocking(move || {
            let mut ids = Vec::new();
            for shelf in entries(&level).doing("list blobs")? {
                let shelf = shelf.doing("list blobs")?.path();
                for entry in entries(&shelf).doing("list blobs")? {
                    let entry = entry.doing("list blobs")?;
                    // Whatever else somebody has put there is not ours.
                    let id = entry
                        .file_name()
                        .to_str()
                        .and_then(|name| name.parse().ok());
                    if let Some(id) = id
                        && is_older(&entry, before).doing("read a blob's age")?
                    {
                        ids.push(id);
                    }
                }
            }
            Ok(ids)
        })
        .await
    }

    pub(crate) async fn is_empty(&self) -> Result<bool, BlobError> {
        let any_time = Timestamp::from_millis(i64::MAX);
        for first_byte in 0..=u8::MAX {
            if !self.written_before(any_time, first_byte).await?.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The entries of a folder; none when it does not exist or is no folder.
fn entries(path: &Path) -> io::Result<impl Iterator<Item = io::Result<DirEntry>>> {
    let found: Option<ReadDir> = match fs::read_dir(path) {
        Ok(entries) => Some(entries),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            None
        }
        Err(error) => return Err(error),
    };
    Ok(found.into_iter().flatten())
}

/// Whether a file was last written before a moment; a file that has just gone was not.
fn is_older(entry: &DirEntry, moment: Timestamp) -> io::Result<bool> {
    let written = match entry.metadata().and_then(|metadata| metadata.modified()) {
        Ok(written) => written,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    // A time before the epoch counts as the epoch.
    let since_epoch = written.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(Timestamp::from_millis(0).plus(since_epoch) < moment)
}

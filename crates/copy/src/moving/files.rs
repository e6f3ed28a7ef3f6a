//! Files on their way, each compared where it has arrived.

use blobs::{BlobError, BlobId, Blobs};
use futures_util::{StreamExt, stream};
use model::time::Timestamp;

use super::{Move, Progress};
use crate::{
    CopyError,
    files::{copy_blob, digest_of_reading, named_blobs},
};

/// How many files move at once: making one durable, or sending it, is mostly waiting.
const AT_ONCE: usize = 4;

/// After how many files it is noted how far they are.
const NOTE_FILES: u64 = 64;

/// After how many files a person who sees no bar is told.
const TELL_FILES: u64 = 1_000;

/// How many missing files are named; the rest is counted.
const NAMED_MISSING: usize = 20;

/// The note of where files go. It outlives an origin: what is there came from an earlier run.
const PLACE: &str = "kept.files";

/// The note of the last file up to which all are there.
const LAST: &str = "files.last";

/// Files that have arrived, in this run, and were compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilesMoved {
    /// How many.
    pub count: u64,
    /// Their sizes together.
    pub size_bytes: u64,
    /// How many the database names that were not at the old place either.
    pub missing_count: u64,
    /// The first of those.
    pub missing: Vec<BlobId>,
}

impl Move<'_> {
    /// Whether an earlier run has begun to put files into this place.
    pub fn puts_files_into(&self, place: &str) -> bool {
        self.moving.note(PLACE).is_some_and(|noted| noted == place)
    }

    /// Copies the files that are not there yet, and reads each at both places.
    ///
    /// What was found to be there by an earlier run is not read again.
    pub async fn move_files(
        &self,
        (from, to): (&Blobs, &Blobs),
        place: &str,
        now: Timestamp,
    ) -> Result<FilesMoved, CopyError> {
        let mut last: Option<BlobId> = None;
        if self.puts_files_into(place) {
            last = self.moving.note(LAST).and_then(|id| id.parse().ok());
        } else {
            self.moving.set_note(LAST, "").await?;
            self.moving.set_note(PLACE, place).await?;
        }
        to.sweep_temporary(now).await?;
        let mut ids = named_blobs(&self.origin.file, &self.origin.tables).await?;
        if let Some(last) = last {
            ids = ids.split_off(&last);
            ids.remove(&last);
        }
        let (what, total) = ("copying files", ids.len() as u64);
        (self.watch)(Progress::Begins { what, total });
        let mut arriving = stream::iter(ids)
            .map(|id| async move { (id, move_blob(from, to, id).await) })
            .buffered(AT_ONCE);
        let (mut moved, mut seen) = (FilesMoved::default(), 0_u64);
        while let Some((id, arrived)) = arriving.next().await {
            match arrived? {
                Some(size_bytes) => {
                    moved.count += 1;
                    moved.size_bytes += size_bytes;
                    self.goes("", 1, size_bytes);
                }
                None => moved.note_missing(id),
            }
            seen += 1;
            if seen.is_multiple_of(NOTE_FILES) {
                self.moving.set_note(LAST, &id.to_string()).await?;
            }
            if seen.is_multiple_of(TELL_FILES) {
                self.done("files", moved.count, moved.size_bytes);
            }
        }
        drop(arriving);
        self.done("files", moved.count, moved.size_bytes);
        (self.watch)(Progress::Ends);
        Ok(moved)
    }
}

impl FilesMoved {
    fn note_missing(&mut self, id: BlobId) {
        self.missing_count += 1;
        if self.missing.len() < NAMED_MISSING {
            self.missing.push(id);
        }
    }
}

/// Moves one blob, and gives its size; `None` when it is not at the old place.
async fn move_blob(from: &Blobs, to: &Blobs, id: BlobId) -> Result<Option<u64>, CopyError> {
    for attempt in 0..2 {
        let left = match copy_blob(from, to, id, None).await {
            Ok(left) => left,
            // From a run that was interrupted.
            Err(CopyError::Blobs(BlobError::Exists(_))) => {
                digest_of_reading(from.get(id).await?).await?
            }
            Err(CopyError::Blobs(BlobError::Missing(_))) => return Ok(None),
            Err(error) => return Err(error),
        };
        if digest_of_reading(to.get(id).await?).await? == left {
            return Ok(Some(left.1));
        }
        if attempt == 0 {
            to.delete(id).await?;
        }
    }
    let what = format!("the file {}", id.path_in_folder());
    Err(CopyError::Differs { what })
}

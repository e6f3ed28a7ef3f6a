//! The folder engine: `root/ab/cd/abcd…` holds a blob, `root/incoming/abcd…` one that is
//! still being written.

mod shelves;
mod sweep;
mod temporary;

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};

use crate::{
    BlobError, BlobId, PutError, Reading,
    error::Doing,
    folder::{shelves::Shelves, temporary::Temporary},
    gathered::Gathered,
};

/// How many bytes go to a blocking thread at once, either way.
///
/// Writes of this size begin and end where large folios of the page cache do. Writing the 64 KiB
/// chunks of sealed files one by one, a tag out of step each, takes the kernel three times as much.
const PIECE_BYTES: usize = 256 * 1_024;

/// Where unfinished blobs are; no shelf can have this name.
const INCOMING: &str = "incoming";

#[derive(Clone, Debug)]
pub(crate) struct Folder {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    incoming: PathBuf,
    shelves: Shelves,
}

impl Folder {
    pub(crate) async fn open(root: PathBuf) -> Result<Self, BlobError> {
        blocking(move || {
            let incoming = root.join(INCOMING);
            let refused = |error: io::Error| {
                BlobError::Refused(format!(
                    "files cannot be kept in the folder {}: {error}",
                    root.display()
                ))
            };
            shelves::make_folders(&incoming).map_err(refused)?;
            temporary::probe(&incoming).map_err(refused)?;
            shelves::sync_root(&root).map_err(refused)?;
            Ok(Self::of(root))
        })
        .await
    }

    /// Writes a file that is no blob, reads it back, and removes it; tells whether there is a
    /// folder.
    pub(crate) async fn examine(root: PathBuf, name: BlobId) -> Result<bool, BlobError> {
        blocking(move || {
            let refused = |error: io::Error| {
                BlobError::Refused(format!(
                    "files cannot be kept in the folder {}: {error}",
                    root.display()
                ))
            };
            if !root.try_exists().map_err(refused)? {
                return Ok(false);
            }
            let incoming = root.join(INCOMING);
            let within = if incoming.is_dir() { &incoming } else { &root };
            let path = within.join(format!("probe-{name}"));
            temporary::try_out(&path).map_err(refused)?;
            Ok(true)
        })
        .await
    }

    /// A folder as it is: nothing is made or tried.
    pub(crate) fn of(root: PathBuf) -> Self {
        let incoming = root.join(INCOMING);
        let shelves = Shelves::new(root);
        Self {
            inner: Arc::new(Inner { incoming, shelves }),
        }
    }

    pub(crate) async fn put<E>(
        &self,
        id: BlobId,
        source: impl Stream<Item = Result<Bytes, E>> + Send,
    ) -> Result<u64, PutError<E>> {
        let path = self.inner.incoming.join(id.to_string());
        let mut temporary = blocking(move || Temporary::create(path, id)).await?;
        let mut source = std::pin::pin!(source);
        let mut gathered = Gathered::default();
        while let Some(piece) = source.next().await {
            match piece {
                Ok(piece) => gathered.add(piece),
                Err(error) => {
                    blocking(move || temporary.abandon()).await?;
                    return Err(PutError::Source(error));
                }
            }
            while let Some(full) = gathered.take(PIECE_BYTES) {
                temporary = blocking(move || temporary.write(&full)).await?;
            }
        }
        let pieces = gathered.rest();
        let inner = Arc::clone(&self.inner);
        // From here on the blocking thread finishes the job, even when nobody waits for it.
        let finished = blocking(move || {
            let temporary = temporary.write(&pieces)?;
            temporary.publish(&inner.shelves, id)
        });
        Ok(finished.await?)
    }

    pub(crate) async fn read_range(
        &self,
        id: BlobId,
        offset: u64,
        length: u64,
    ) -> Result<Reading, BlobError> {
        let path = self.inner.shelves.path(id);
        let (file, blob_bytes) = blocking(move || {
            let file = File::open(path).map_err(|source| missing(id, "open a blob", source))?;
            let size = file.metadata().doing("read a blob's size")?.len();
            Ok((file, size))
        })
        .await?;
        let left = blob_bytes
            .checked_sub(offset)
            .ok_or(BlobError::OutOfRange {
                id,
                blob_bytes,
                offset,
            })?
            .min(length);
        Ok(Reading {
            blob_bytes,
            bytes: pieces_of(file, offset, left).boxed(),
        })
    }

    pub(crate) async fn delete(&self, id: BlobId) -> Result<bool, BlobError> {
        let path = self.inner.shelves.path(id);
        blocking(move || match std::fs::remove_file(&path) {
            Ok(()) => {
                let shelf = path.parent().unwrap_or(Path::new("/"));
                shelves::sync_folder(shelf).doing("make the removal of a blob durable")?;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error).doing("remove a blob"),
        })
        .await
    }
}

fn missing(id: BlobId, doing: &'static str, source: io::Error) -> BlobError {
    if source.kind() == io::ErrorKind::NotFound {
        BlobError::Missing(id)
    } else {
        BlobError::Io { doing, source }
    }
}

fn pieces_of(
    file: File,
    offset: u64,
    left: u64,
) -> impl Stream<Item = Result<Bytes, BlobError>> + Send {
    stream::try_unfold((file, offset, left), |(file, offset, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let length = usize::try_from(left).map_or(PIECE_BYTES, |left| left.min(PIECE_BYTES));
        let (file, piece) = blocking(move || {
            let mut piece = BytesMut::zeroed(length);
            // Fails at an early end of the file.
            file.read_exact_at(&mut piece, offset)
                .doing("read a blob")?;
            Ok((file, piece.freeze()))
        })
        .await?;
        let length = length as u64;
        Ok(Some((piece, (file, offset + length, left - length))))
    })
}

/// Runs file operations where they may block.
async fn blocking<T: Send + 'static>(
    job: impl FnOnce() -> Result<T, BlobError> + Send + 'static,
) -> Result<T, BlobError> {
    match tokio::task::spawn_blocking(job).await {
        Ok(result) => result,
        // The job panicked, or the runtime is shutting down.
        Err(error) => Err(io::Error::other(error)).doing("run a file operation"),
    }
}

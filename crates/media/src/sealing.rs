//! Seals a stream while it arrives, holding one chunk of it at a time.

use std::{error::Error, pin::Pin};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use seal::{CHUNK_BYTES, CHUNK_OVERHEAD, FileKey, FileSealer};

use crate::UploadError;

/// What an upload may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// The largest plain size that is taken.
    pub(crate) max_size_bytes: u64,
    /// What its uploader may have beside what they have already.
    pub(crate) left_bytes: u64,
    /// The plain size that was announced, if one was: any other is a truncated upload.
    pub(crate) announced_bytes: Option<u64>,
}

impl Bounds {
    /// Refuses a size that is too large: of what has arrived, or of what was announced.
    fn check(&self, size_bytes: u64) -> Result<(), UploadError> {
        let max_size_bytes = self.max_size_bytes;
        if size_bytes > max_size_bytes {
            return Err(UploadError::TooLarge { max_size_bytes });
        }
        if size_bytes > self.left_bytes {
            return Err(UploadError::QuotaReached);
        }
        Ok(())
    }

    /// Refuses what is too large before a byte of it has arrived.
    pub(crate) fn check_announced(&self) -> Result<(), UploadError> {
        self.check(self.announced_bytes.unwrap_or(0))
    }
}

struct Sealing<'a, S> {
    source: Pin<&'a mut S>,
    sealer: FileSealer,
    bounds: Bounds,
    taken_bytes: u64,
    /// The plain bytes of the next chunk, with room for its tag.
    waiting: Vec<u8>,
    /// What has arrived of the chunks after it.
    rest: Bytes,
    source_ended: bool,
    finished: bool,
}

/// The sealed chunks of a source; fails as soon as the source fails or passes its bounds.
pub(crate) fn sealed_chunks<'a, S, E>(
    source: Pin<&'a mut S>,
    key: &FileKey,
    bounds: Bounds,
) -> impl Stream<Item = Result<Bytes, UploadError>> + Send + use<'a, S, E>
where
    S: Stream<Item = Result<Bytes, E>> + Send,
    E: Into<Box<dyn Error + Send + Sync>> + 'a,
{
    let sealing = Sealing {
        source,
        sealer: FileSealer::new(key),
        bounds,
        taken_bytes: 0,
        waiting: empty_chunk(),
        rest: Bytes::new(),
        source_ended: false,
        finished: false,
    };
    stream::try_unfold(sealing, |mut sealing| async move {
        let chunk = sealing.next_chunk().await?;
        Ok(chunk.map(|chunk| (chunk, sealing)))
    })
}

impl<S, E> Sealing<'_, S>
where
    S: Stream<Item = Result<Bytes, E>> + Send,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    async fn next_chunk(&mut self) -> Result<Option<Bytes>, UploadError> {
        if self.finished {
            return Ok(None);
        }
        self.fill();
        // One byte more than a chunk tells that this chunk is not the last.
        while !self.source_ended && self.rest.is_empty() {
            self.rest = self.take_piece().await?;
            self.fill();
        }
        self.finished = self.rest.is_empty();
        let plain = std::mem::replace(&mut self.waiting, empty_chunk());
        Ok(Some(self.sealer.chunk(plain, self.finished)?.into()))
    }

    /// Moves what fits of what has arrived into the next chunk.
    fn fill(&mut self) {
        let room = CHUNK_BYTES - self.waiting.len();
        let part = self.rest.split_to(self.rest.len().min(room));
        self.waiting.extend_from_slice(&part);
    }

    /// The next piece of the source; nothing when it has ended.
    async fn take_piece(&mut self) -> Result<Bytes, UploadError> {
        match self.source.next().await {
            Some(Ok(piece)) => {
                self.taken_bytes = self.taken_bytes.saturating_add(piece.len() as u64);
                self.bounds.check(self.taken_bytes)?;
                Ok(piece)
            }
            Some(Err(error)) => Err(UploadError::Broken(error.into())),
            None => {
                self.source_ended = true;
                let announced = self.bounds.announced_bytes;
                if let Some(announced_bytes) = announced.filter(|size| *size != self.taken_bytes) {
                    return Err(UploadError::Truncated {
                        announced_bytes,
                        arrived_bytes: self.taken_bytes,
                    });
                }
                Ok(Bytes::new())
            }
        }
    }
}

fn empty_chunk() -> Vec<u8> {
    Vec::with_capacity(CHUNK_BYTES + CHUNK_OVERHEAD)
}

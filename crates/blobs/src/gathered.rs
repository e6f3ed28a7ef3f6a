//! What has arrived of a blob and is not written yet.

use bytes::Bytes;

#[derive(Default)]
pub(crate) struct Gathered {
    pieces: Vec<Bytes>,
    bytes: usize,
}

impl Gathered {
    pub(crate) fn add(&mut self, piece: Bytes) {
        self.bytes += piece.len();
        self.pieces.push(piece);
    }

    /// Exactly so many bytes, as soon as so many are there.
    pub(crate) fn take(&mut self, bytes: usize) -> Option<Vec<Bytes>> {
        self.bytes = self.bytes.checked_sub(bytes)?;
        let (mut full, mut missing) = (Vec::new(), bytes);
        for piece in &mut self.pieces {
            let part = piece.split_to(piece.len().min(missing));
            missing -= part.len();
            full.push(part);
        }
        self.pieces.retain(|piece| !piece.is_empty());
        Some(full)
    }

    /// Whatever is left.
    pub(crate) fn rest(self) -> Vec<Bytes> {
        self.pieces
    }
}

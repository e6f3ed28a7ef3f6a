//! Sealed files: chunks with a counter and a final flag, so that ranges can be read and a
//! file cut short is noticed.

use aws_lc_rs::aead::{Aad, LessSafeKey, Nonce};
use model::entropy::Entropy;
use zeroize::Zeroizing;

use crate::{
    SealError,
    aead::{KeyBytes, random_key, ready},
};

/// The plain bytes in every chunk but the last.
pub const CHUNK_BYTES: usize = 65_536;

/// How much longer a sealed chunk is than its plain bytes.
pub const CHUNK_OVERHEAD: usize = 16;

/// The key of one file, never used for another.
pub struct FileKey(KeyBytes);

impl FileKey {
    /// Makes a key for a new file.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        Self(random_key(entropy))
    }

    /// The key's bytes, to be sealed like any value.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key from its opened bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SealError> {
        let bytes = <[u8; 32]>::try_from(bytes).map_err(|_| SealError::FileDamaged)?;
        Ok(Self(Zeroizing::new(bytes)))
    }
}

/// Seals a file's chunks in order.
pub struct FileSealer {
    key: LessSafeKey,
    next: u64,
}

impl FileSealer {
    /// Begins at the file's first chunk.
    pub fn new(key: &FileKey) -> Self {
        Self {
            key: ready(&key.0),
            next: 0,
        }
    }

    /// Seals the next chunk where it stands: [`CHUNK_BYTES`] long, or at most that when it is the
    /// last. With room for [`CHUNK_OVERHEAD`] more bytes it is not moved.
    pub fn chunk(&mut self, mut chunk: Vec<u8>, last: bool) -> Result<Vec<u8>, SealError> {
        let whole = chunk.len() == CHUNK_BYTES;
        let ends = last && chunk.len() < CHUNK_BYTES;
        if !(whole || ends) {
            return Err(SealError::FileDamaged);
        }
        self.key
            .seal_in_place_append_tag(nonce(self.next, last), Aad::empty(), &mut chunk)
            .map_err(|_| SealError::FileDamaged)?;
        self.next += 1;
        Ok(chunk)
    }
}

/// Opens a file's chunks in any order.
pub struct FileOpener {
    key: LessSafeKey,
}

impl FileOpener {
    /// Opens with the file's key.
    pub fn new(key: &FileKey) -> Self {
        Self { key: ready(&key.0) }
    }

    /// Opens the chunk at `index`, which is the file's last or is not.
    pub fn chunk(&self, index: u64, last: bool, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut plain = sealed.to_vec();
        let length = self
            .key
            .open_in_place(nonce(index, last), Aad::empty(), &mut plain)
            .map_err(|_| SealError::FileDamaged)?
            .len();
        plain.truncate(length);
        Ok(plain)
    }
}

/// Unique for the file's key: the chunk's place, and whether it is the last.
fn nonce(index: u64, last: bool) -> Nonce {
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(&index.to_be_bytes());
    nonce[11] = u8::from(last);
    Nonce::assume_unique_for_key(nonce)
}

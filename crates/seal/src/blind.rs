//! Blind indexes: keyed hashes that find equal values without showing them.

use std::sync::Arc;

use aws_lc_rs::hmac;
use model::entropy::Entropy;

use crate::{Place, SealError, aead::Cipher};

/// The key of all blind indexes; each purpose has a key of its own below it.
///
/// An index leaks which values are equal and how often each occurs, and nothing else.
pub(crate) struct BlindKey {
    id: i64,
    key: hmac::Key,
}

impl BlindKey {
    pub(crate) fn new(id: i64, key: &[u8; 32]) -> Self {
        Self {
            id,
            key: hmac::Key::new(hmac::HMAC_SHA256, key),
        }
    }

    pub(crate) fn hash(&self, purpose: &'static str, data: &[u8]) -> [u8; 32] {
        hashed(&self.key_for(purpose), data)
    }

    /// An index of its own: what is equal in two of them does not look equal.
    pub(crate) fn index(
        &self,
        purpose: &'static str,
        about: &[u8],
        entropy: Arc<dyn Entropy>,
    ) -> BlindIndex {
        let key = below(&self.key_for(purpose), about);
        BlindIndex {
            tokens: below(&key, b"tokens"),
            cipher: Cipher::new(self.id, &hashed(&key, b"entries")),
            entropy,
        }
    }

    fn key_for(&self, purpose: &'static str) -> hmac::Key {
        below(&self.key, purpose.as_bytes())
    }
}

/// One blind index, such as that of the words of one room: tokens that stand for values, and
/// sealed entries that say where each is found.
///
/// It leaks which values are there, as tokens, and about how much is found by each.
pub struct BlindIndex {
    tokens: hmac::Key,
    cipher: Cipher,
    entropy: Arc<dyn Entropy>,
}

impl BlindIndex {
    /// The number that stands for a value. Two values have the same one by a chance of one in
    /// 2^64, so whoever finds something by it looks whether it is what was meant.
    pub fn token(&self, data: &[u8]) -> i64 {
        let hash = hashed(&self.tokens, data);
        i64::from_be_bytes(*hash.first_chunk().expect("a keyed hash is 32 bytes long"))
    }

    /// Seals an entry. It opens only in its place, in this index.
    pub fn seal(&self, place: Place<'_>, plain: &[u8]) -> Vec<u8> {
        let associated = place.associated_data();
        self.cipher.seal(&*self.entropy, &associated, plain)
    }

    /// Opens an entry.
    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let opened = self.cipher.open(&place.associated_data(), sealed);
        opened.ok_or(SealError::DoesNotOpen {
            table: place.table,
            column: place.column,
        })
    }
}

fn below(key: &hmac::Key, name: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(key, name).as_ref())
}

fn hashed(key: &hmac::Key, data: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(hmac::sign(key, data).as_ref());
    hash
}

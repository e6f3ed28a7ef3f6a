//! Blind indexes: keyed hashes that find equal values without showing them.

use aws_lc_rs::hmac;

/// The key of all blind indexes; each purpose has a key of its own below it.
///
/// An index leaks which values are equal and how often each occurs, and nothing else.
pub(crate) struct BlindKey(hmac::Key);

impl BlindKey {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    pub(crate) fn hash(&self, purpose: &'static str, data: &[u8]) -> [u8; 32] {
        let purpose_key = hmac::sign(&self.0, purpose.as_bytes());
        let key = hmac::Key::new(hmac::HMAC_SHA256, purpose_key.as_ref());
        let mut hash = [0; 32];
        hash.copy_from_slice(hmac::sign(&key, data).as_ref());
        hash
    }
}

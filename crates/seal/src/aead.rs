//! The sealed form: version, key id, nonce, ciphertext, tag (AES-256-GCM).

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use model::entropy::Entropy;
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const HEADER: usize = 1 + 8 + NONCE_LEN;
const TAG: usize = 16;

/// The bytes of a key, wiped when dropped.
pub(crate) type KeyBytes = Zeroizing<[u8; 32]>;

/// Makes a key that nobody can predict.
pub(crate) fn random_key(entropy: &dyn Entropy) -> KeyBytes {
    let mut key = Zeroizing::new([0; 32]);
    entropy.fill(&mut *key);
    key
}

/// A key that is ready to use, with the id that sealed values carry.
pub(crate) struct Cipher {
    id: i64,
    key: LessSafeKey,
}

impl Cipher {
    pub(crate) fn new(id: i64, key: &[u8; 32]) -> Self {
        Self {
            id,
            key: ready(key),
        }
    }

    pub(crate) fn id(&self) -> i64 {
        self.id
    }

    pub(crate) fn seal(&self, entropy: &dyn Entropy, associated: &[u8], plain: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE_LEN];
        entropy.fill(&mut nonce);
        let mut sealed = Vec::with_capacity(HEADER + plain.len() + TAG);
        sealed.push(VERSION);
        sealed.extend_from_slice(&self.id.to_be_bytes());
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plain);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce, Aad::from(associated), &mut sealed[HEADER..])
            .expect("AES-256-GCM seals anything below 64 GiB");
        sealed.extend_from_slice(tag.as_ref());
        sealed
    }

    /// Opens a value; `None` when it was altered, or sealed elsewhere or with another key.
    pub(crate) fn open(&self, associated: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        if key_id_of(sealed)? != self.id || sealed.len() < HEADER + TAG {
            return None;
        }
        let nonce = Nonce::try_assume_unique_for_key(&sealed[9..HEADER]).ok()?;
        let mut plain = sealed[HEADER..].to_vec();
        let length = self
            .key
            .open_in_place(nonce, Aad::from(associated), &mut plain)
            .ok()?
            .len();
        plain.truncate(length);
        Some(plain)
    }
}

/// The id of the key that sealed a value.
pub(crate) fn key_id_of(sealed: &[u8]) -> Option<i64> {
    let (version, rest) = sealed.split_first()?;
    let id = rest.first_chunk::<8>()?;
    (*version == VERSION).then(|| i64::from_be_bytes(*id))
}

pub(crate) fn ready(key: &[u8; 32]) -> LessSafeKey {
    let unbound = UnboundKey::new(&AES_256_GCM, key).expect("a key of AES-256 has 32 bytes");
    LessSafeKey::new(unbound)
}

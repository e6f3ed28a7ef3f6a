//! Randomness as a value: everything that needs unpredictable bytes asks [`Entropy`].

/// Where random bytes come from: the operating system, or in tests a seeded stream.
pub trait Entropy: Send + Sync + 'static {
    /// Fills `buffer` with bytes nobody can predict.
    fn fill(&self, buffer: &mut [u8]);
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A random string of `length` characters from the URL-safe base64 alphabet, six bits each.
pub fn random_text(entropy: &dyn Entropy, length: usize) -> String {
    let mut bytes = vec![0u8; length];
    entropy.fill(&mut bytes);
    bytes
        .iter()
        .map(|byte| char::from(ALPHABET[usize::from(byte & 63)]))
        .collect()
}

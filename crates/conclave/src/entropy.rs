//! The system's randomness.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use model::entropy::Entropy;

/// Unpredictable bytes from a generator that the operating system seeds.
#[derive(Clone, Debug, Default)]
pub struct SystemEntropy(SystemRandom);

impl SystemEntropy {
    /// Makes a source.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        self.0
            .fill(buffer)
            .expect("the generator fails only where the operating system gives no randomness");
    }
}

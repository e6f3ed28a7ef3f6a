//! Moments that nobody chose.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    time::Duration,
};

use model::entropy::Entropy as _;
use testkit::entropy::SeededEntropy;

pub(crate) struct Chance(SeededEntropy);

impl Chance {
    pub(crate) fn new() -> Self {
        Self(SeededEntropy::new(
            RandomState::new().build_hasher().finish(),
        ))
    }

    pub(crate) fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    /// Waits for some time below this.
    pub(crate) async fn pause(&mut self, below_ms: u64) {
        let micros = self.below(below_ms.max(1) * 1_000);
        #[expect(
            clippy::disallowed_methods,
            reason = "the moment of a crash is real time"
        )]
        tokio::time::sleep(Duration::from_micros(micros)).await;
    }

    pub(crate) fn below(&mut self, count: u64) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes) % count
    }
}

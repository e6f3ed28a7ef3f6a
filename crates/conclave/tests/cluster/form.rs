//! Which form a test has, and moments that a seed chose.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    time::Duration,
};

use model::entropy::Entropy as _;
use testkit::entropy::SeededEntropy;

/// Names the variable that repeats a run: the seed that its report shows.
const SEED_VARIABLE: &str = "CONCLAVE_CLUSTER_SEED";

/// Names the variable that asks for the long form.
const LONG_VARIABLE: &str = "CONCLAVE_CLUSTER_LONG";

/// The seed of this run: the one that was asked for, or one that nobody chose.
pub(crate) fn seed() -> u64 {
    let given = std::env::var_os(SEED_VARIABLE);
    let random = || RandomState::new().build_hasher().finish() >> 16;
    given.map_or_else(random, |given| given.to_str().unwrap().parse().unwrap())
}

/// The one of two values that belongs to the form.
pub(crate) fn by_form<T>(short: T, long: T) -> T {
    match std::env::var_os(LONG_VARIABLE) {
        Some(_) => long,
        None => short,
    }
}

/// Choices that a seed makes.
pub(crate) struct Chance(SeededEntropy);

impl Chance {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(SeededEntropy::new(seed))
    }

    pub(crate) fn below(&self, count: usize) -> usize {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        let number = u64::from_le_bytes(bytes) % u64::try_from(count).unwrap();
        usize::try_from(number).unwrap()
    }

    /// One of the nodes, but this one.
    pub(crate) fn other_than(&self, node: usize, nodes: usize) -> usize {
        (node + 1 + self.below(nodes - 1)) % nodes
    }

    /// Waits for some time below this.
    pub(crate) async fn pause(&self, below_ms: usize) {
        pause(Duration::from_millis(self.below(below_ms) as u64)).await;
    }
}

/// Lets so much time pass: what befalls servers befalls them in real time.
pub(crate) async fn pause(duration: Duration) {
    let never = std::future::pending::<()>();
    tokio::time::timeout(duration, never).await.unwrap_err();
}

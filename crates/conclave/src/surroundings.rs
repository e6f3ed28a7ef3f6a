//! What a node is given from outside: time and randomness.

use std::sync::Arc;

use model::{entropy::Entropy, time::Clock};

use crate::{SystemClock, SystemEntropy};

/// The clock and the randomness of a node.
#[derive(Clone)]
pub struct Surroundings {
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where unpredictable bytes come from.
    pub entropy: Arc<dyn Entropy>,
}

impl Surroundings {
    /// Those of this machine.
    pub fn of_this_machine() -> Self {
        Self {
            clock: Arc::new(SystemClock::new()),
            entropy: Arc::new(SystemEntropy::new()),
        }
    }
}

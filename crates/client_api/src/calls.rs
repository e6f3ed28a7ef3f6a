//! What calls need.

pub(crate) mod get_turn_server;

use std::{fmt, time::Duration};

use zeroize::Zeroizing;

/// The TURN servers that carry calls, and what this server shares with them.
#[derive(Clone)]
pub struct TurnServers {
    /// Where they are.
    pub uris: Vec<String>,
    /// The secret from which credentials are made.
    pub secret: Zeroizing<String>,
    /// How long credentials are good.
    pub lifetime: Duration,
}

impl fmt::Debug for TurnServers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TurnServers")
            .field("uris", &self.uris)
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}

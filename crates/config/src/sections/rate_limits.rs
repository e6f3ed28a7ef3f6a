//! `[rate_limits]`: how much one client may ask for.

use super::section;

section! {
    /// Limits on how much one client may ask for.
    pub RateLimits in "rate_limits" {
        /// Whether clients that ask too much are slowed down. Switch it off only where
        /// every client is trusted.
        enabled: bool = "true";
    }
}

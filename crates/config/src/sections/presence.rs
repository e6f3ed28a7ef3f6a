//! `[presence]`: who is online.

use super::section;

section! {
    /// Who is online.
    pub Presence in "presence" {
        /// Whether people see who is online.
        enabled: bool = "true";
    }
}

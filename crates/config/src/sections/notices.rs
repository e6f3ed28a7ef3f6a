//! `[notices]`: what the server tells its people.

use super::section;
use crate::values::{DisplayName, Localpart};

section! {
    /// Who sends what `conclave notices send` tells people. Nobody signs in to this account, and
    /// nobody gets its name.
    pub Notices in "notices" {
        /// The name before the colon. Rooms that were made under another one are still used.
        localpart: Localpart = "notices";
        /// The name that people see, of the account and of the rooms that are made from now on.
        display_name: DisplayName = "Server notices";
    }
}

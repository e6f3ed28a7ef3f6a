//! `[bus]`: where the nodes of a deployment meet.

use std::path::PathBuf;

use super::section;
use crate::values::BusUrl;

section! {
    /// Where the nodes of a deployment meet. What they tell each other is never needed for
    /// anything to be right: nodes find changes in the database, and the bus makes that fast. Only
    /// typing and presence travel on it alone: numbers of users and rooms, and the sentence beside
    /// a presence, which NATS can read.
    pub Bus in "bus" {
        /// NATS, or nothing for a deployment of one node. Several hosts of one NATS cluster are
        /// joined by commas, and one that is away is replaced by another. `tls://` says nothing
        /// before the connection is encrypted. A user without a password is a token. The server
        /// starts and works without NATS, and connects when it is there.
        url: Option<BusUrl> = "";
        /// A file that holds `bus.url`, which may carry a password.
        url_file: Option<PathBuf> = "";
        /// Certificates that vouch for NATS, as PEM, instead of those that the system trusts.
        ca_file: Option<PathBuf> = "";
    }
}

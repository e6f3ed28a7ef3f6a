//! `[bus]`: where the nodes of a deployment meet.

use std::path::PathBuf;

use super::section;
use crate::{reader::Reader, values::BusUrl};

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
        /// The certificate, as PEM, with which this server says to NATS who it is, for a NATS that
        /// asks (`verify` or `verify_and_map`). It is read again for each connection.
        cert_file: Option<PathBuf> = "";
        /// Its private key, as PEM.
        key_file: Option<PathBuf> = "";
    }
}

impl Bus {
    /// Reads the section, in which what is said of certificates needs a connection with some.
    pub(crate) fn read_checked(reader: &Reader) -> Option<Self> {
        let bus = Self::read(reader)?;
        let Some((key, message, accepted)) = bus.contradiction() else {
            return Some(bus);
        };
        reader.refuse(key, message, accepted);
        None
    }

    /// The first key that does not go with the others, and why.
    fn contradiction(&self) -> Option<(&'static str, &'static str, &'static str)> {
        let both = "both keys, or neither";
        match (&self.cert_file, &self.key_file) {
            (Some(_), None) => return Some(("bus.cert_file", "is set without bus.key_file", both)),
            (None, Some(_)) => return Some(("bus.key_file", "is set without bus.cert_file", both)),
            _ => {}
        }
        let is_protected = self.url.as_ref().is_some_and(|url| url.tls);
        let set = [
            ("bus.ca_file", self.ca_file.is_some()),
            ("bus.cert_file", self.cert_file.is_some()),
        ];
        let idle = set.into_iter().find(|(_, is_set)| *is_set && !is_protected);
        idle.map(|(key, _)| (key, "is set without TLS", "bus.url in tls://, or neither"))
    }
}

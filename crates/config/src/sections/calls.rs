//! `[calls]`: what calls need beside this server.

use std::{path::PathBuf, time::Duration};

use super::section;
use crate::{
    reader::Reader,
    values::{PageUrl, Secret, TurnUri},
};

section! {
    /// What calls need beside this server.
    pub Calls in "calls" {
        /// Where the TURN servers are that carry calls between people who cannot reach each other
        /// directly. Without any, clients try without.
        turn_uris: Vec<TurnUri> = "";
        /// The secret that this server shares with the TURN servers (`static-auth-secret` in
        /// coturn). From it each person gets credentials of their own, which expire.
        turn_shared_secret: Option<Secret> = "";
        /// A file that holds `calls.turn_shared_secret`.
        turn_shared_secret_file: Option<PathBuf> = "";
        /// How long such credentials are good; a call that lasts longer may break off.
        turn_lifetime: Duration = "1day";
        /// Where the services are that let people into calls on LiveKit (`lk-jwt-service`), the
        /// one to use first before the others. Without any, clients have no group calls but those
        /// that they bring a service for.
        livekit_urls: Vec<PageUrl> = "";
    }
}

impl Calls {
    /// Reads the section, in which addresses and secret need each other.
    pub(crate) fn read_checked(reader: &Reader) -> Option<Self> {
        let calls = Self::read(reader)?;
        let (key, message) = match (calls.turn_uris.is_empty(), &calls.turn_shared_secret) {
            (false, None) => ("calls.turn_uris", "is set without calls.turn_shared_secret"),
            (true, Some(_)) => ("calls.turn_shared_secret", "is set without calls.turn_uris"),
            _ => return Some(calls),
        };
        reader.refuse(key, message, "both keys, or neither");
        None
    }
}

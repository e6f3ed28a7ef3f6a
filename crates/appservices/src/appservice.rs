//! One service: who it is, what it claims, and what it wants to be told.

use std::{fmt, sync::Arc};

use aws_lc_rs::digest::{SHA256, digest};
use ruma::{OwnedUserId, RoomAliasId, RoomId, UserId};
use subtle::ConstantTimeEq;
use url::Url;
use zeroize::Zeroizing;

use crate::namespace::Namespace;

/// A registered application service. Cheap to clone.
#[derive(Clone)]
pub struct Appservice(pub(crate) Arc<Service>);

pub(crate) struct Service {
    pub(crate) written: Hash,
    pub(crate) id: String,
    pub(crate) url: Option<Url>,
    pub(crate) as_token: Hash,
    pub(crate) hs_token: Zeroizing<String>,
    pub(crate) sender: OwnedUserId,
    pub(crate) users: Vec<Namespace>,
    pub(crate) aliases: Vec<Namespace>,
    pub(crate) rooms: Vec<Namespace>,
    pub(crate) rate_limited: bool,
    pub(crate) protocols: Vec<String>,
    pub(crate) ephemeral: bool,
    pub(crate) device_data: bool,
}

/// What is kept of a token that is only compared.
#[derive(Clone, Copy)]
pub(crate) struct Hash([u8; 32]);

impl Hash {
    pub(crate) fn of(token: &str) -> Self {
        let digest = digest(&SHA256, token.as_bytes());
        let mut hash = [0; 32];
        hash.copy_from_slice(digest.as_ref());
        Self(hash)
    }

    /// Whether two are the same, in the same time wherever they differ.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Appservice {
    /// Its id, which never changes.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// Tells its registration from any other, tokens included; it shows nothing of them.
    pub fn fingerprint(&self) -> [u8; 32] {
        self.0.written.0
    }

    /// Where it is; none when nothing is ever sent to it.
    pub fn url(&self) -> Option<&Url> {
        self.0.url.as_ref()
    }

    /// With what this server proves to the service who it is. A secret.
    pub fn hs_token(&self) -> &str {
        &self.0.hs_token
    }

    /// Its own user.
    pub fn sender(&self) -> &UserId {
        &self.0.sender
    }

    /// Whether it may act as a user: its own, or one of this server in its namespaces.
    pub fn acts_for(&self, user_id: &UserId) -> bool {
        *user_id == *self.0.sender || self.claims_user(user_id, |_| true)
    }

    /// Whether nobody else has a user: its own, or one in a namespace that is exclusively its.
    pub fn owns(&self, user_id: &UserId) -> bool {
        *user_id == *self.0.sender || self.claims_user(user_id, |namespace| namespace.exclusive)
    }

    fn claims_user(&self, user_id: &UserId, counts: impl Fn(&Namespace) -> bool) -> bool {
        user_id.server_name() == self.0.sender.server_name()
            && claims(&self.0.users, user_id.as_str(), counts)
    }

    /// Whether an alias is in its namespaces.
    pub fn claims_alias(&self, alias: &RoomAliasId) -> bool {
        claims(&self.0.aliases, alias.as_str(), |_| true)
    }

    /// Whether an alias is in a namespace that is exclusively its.
    pub fn owns_alias(&self, alias: &RoomAliasId) -> bool {
        claims(&self.0.aliases, alias.as_str(), |namespace| {
            namespace.exclusive
        })
    }

    /// Whether it wants to know all of a room, because of the room's id.
    pub fn claims_room(&self, room_id: &RoomId) -> bool {
        claims(&self.0.rooms, room_id.as_str(), |_| true)
    }

    /// Whether it claims any aliases.
    pub fn has_aliases(&self) -> bool {
        !self.0.aliases.is_empty()
    }

    /// Whether the requests that it makes as other users draw on their rate limits.
    pub fn is_rate_limited(&self) -> bool {
        self.0.rate_limited
    }

    /// The protocols of other networks that it speaks.
    pub fn protocols(&self) -> impl Iterator<Item = &str> {
        self.0.protocols.iter().map(String::as_str)
    }

    /// Whether it wants typing, receipts, presence, and messages to its users' devices.
    pub fn wants_ephemeral(&self) -> bool {
        self.0.ephemeral
    }

    /// Whether it wants to know of devices and their keys (MSC3202).
    pub fn wants_device_data(&self) -> bool {
        self.0.device_data
    }

    /// The exclusive namespaces of users, as they stand in the file.
    pub(crate) fn exclusive_users(&self) -> impl Iterator<Item = &str> {
        exclusive(&self.0.users)
    }

    /// The exclusive namespaces of aliases, as they stand in the file.
    pub(crate) fn exclusive_aliases(&self) -> impl Iterator<Item = &str> {
        exclusive(&self.0.aliases)
    }
}

fn claims(namespaces: &[Namespace], name: &str, counts: impl Fn(&Namespace) -> bool) -> bool {
    namespaces
        .iter()
        .any(|namespace| counts(namespace) && namespace.has(name))
}

fn exclusive(namespaces: &[Namespace]) -> impl Iterator<Item = &str> {
    let exclusive = namespaces.iter().filter(|namespace| namespace.exclusive);
    exclusive.map(|namespace| namespace.text.as_str())
}

/// Shows which it is, and no secret.
impl fmt::Debug for Appservice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_tuple("Appservice")
            .field(&self.id())
            .finish()
    }
}

impl PartialEq for Appservice {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for Appservice {}

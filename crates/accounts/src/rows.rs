//! The rows of this crate's tables, as the checks see them.

use model::time::Timestamp;
use ruma::{OwnedDeviceId, OwnedUserId};
use seal::{KeySet, Place, Scope};
use store::StoreError;

use crate::AccountKind;

/// A SHA-256 of a secret.
pub(crate) type Hash = [u8; 32];

/// A row of `accounts`.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) kind: AccountKind,
    pub(crate) admin: bool,
    pub(crate) locked: bool,
    pub(crate) suspended: bool,
    pub(crate) password_hash: Option<String>,
    pub(crate) created_at: Timestamp,
    pub(crate) deactivated_at: Option<Timestamp>,
    pub(crate) erased: bool,
    pub(crate) pos: i64,
}

/// A row of `devices`.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    pub(crate) session: i64,
    pub(crate) generation: i64,
    pub(crate) next_generation: i64,
    pub(crate) display_name: Option<AtRest>,
    pub(crate) created_at: Timestamp,
    pub(crate) pos: i64,
}

/// A row of `access_tokens` or `refresh_tokens`.
#[derive(Clone, Debug)]
pub(crate) struct TokenRow {
    pub(crate) user: i64,
    pub(crate) device_id: String,
    pub(crate) session: i64,
    pub(crate) generation: i64,
    pub(crate) expires_at: Option<Timestamp>,
}

/// A row of `login_tokens` or `openid_tokens`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LoginToken {
    pub(crate) user: i64,
    pub(crate) expires_at: Timestamp,
}

/// A row of `registration_tokens`.
#[derive(Clone, Debug)]
pub(crate) struct RegistrationToken {
    pub(crate) id: i64,
    pub(crate) invitation: bool,
    pub(crate) localpart: Option<String>,
    pub(crate) uses_allowed: Option<i64>,
    pub(crate) uses: i64,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) created_at: Timestamp,
}

/// How many rows `registration_tokens` has.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TokensKept {
    /// All of them.
    pub(crate) all: i64,
    /// Those that nobody can register with any more.
    pub(crate) ended: i64,
    /// The moment before which tokens have ended that are to go.
    pub(crate) drop_ended_at: Option<Timestamp>,
}

impl RegistrationToken {
    /// Whether somebody may still register with it.
    pub(crate) fn is_usable(&self, now: Timestamp) -> bool {
        self.uses_allowed.is_none_or(|allowed| self.uses < allowed)
            && self.expires_at.is_none_or(|expires_at| now < expires_at)
    }
}

/// JSON that stands sealed, with the position at which it was written; `None` where a profile
/// field was taken back.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) content: Option<AtRest>,
    pub(crate) pos: i64,
}

/// A value that is sealed already, or is to be sealed when it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AtRest {
    Sealed(Vec<u8>),
    Plain(Vec<u8>),
}

impl AtRest {
    /// The value as it is stored.
    pub(crate) fn seal(
        &self,
        keys: &KeySet,
        user: i64,
        place: Place<'_>,
    ) -> Result<Vec<u8>, StoreError> {
        match self {
            Self::Sealed(sealed) => Ok(sealed.clone()),
            Self::Plain(plain) => Ok(keys.seal(Scope::User(user), place, plain)?),
        }
    }

    /// The value in clear, where it was opened or has not been sealed yet.
    pub(crate) fn plain(&self) -> Option<&[u8]> {
        match self {
            Self::Plain(plain) => Some(plain),
            Self::Sealed(_) => None,
        }
    }
}

/// Where sealed values of this crate stand.
pub(crate) mod place {
    use seal::Place;

    /// `devices.display_name`; the id comes from [`device_row`].
    pub(crate) fn device_name(id: &str) -> Place<'_> {
        let (table, column) = ("devices", "display_name");
        Place { table, column, id }
    }

    /// `profile_fields.value`; the id comes from [`field_row`].
    pub(crate) fn profile_field(id: &str) -> Place<'_> {
        let (table, column) = ("profile_fields", "value");
        Place { table, column, id }
    }

    /// `account_data.content`; the id comes from [`entry_row`].
    pub(crate) fn account_data(id: &str) -> Place<'_> {
        let (table, column) = ("account_data", "content");
        Place { table, column, id }
    }

    /// `filters.content`; the id comes from [`field_row`].
    pub(crate) fn filter(id: &str) -> Place<'_> {
        let (table, column) = ("filters", "content");
        Place { table, column, id }
    }

    /// The stable id of a device's row.
    pub(crate) fn device_row(user: i64, device_id: &str) -> String {
        format!("{user}/{device_id}")
    }

    /// The stable id of a row keyed by a user and a name.
    pub(crate) fn field_row(user: i64, name: &str) -> String {
        format!("{user}/{name}")
    }

    /// The stable id of an account-data row.
    pub(crate) fn entry_row(user: i64, room: i64, kind: &str) -> String {
        format!("{user}/{room}/{kind}")
    }
}

/// Ids were checked before they were stored.
pub(crate) fn user_id(name: &str) -> Result<OwnedUserId, StoreError> {
    OwnedUserId::try_from(name)
        .map_err(|error| StoreError::Damaged(format!("a stored user id: {error}")))
}

/// Device ids are any bounded text.
pub(crate) fn device_id(name: &str) -> OwnedDeviceId {
    OwnedDeviceId::from(name)
}

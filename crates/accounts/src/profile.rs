//! What people tell of themselves: a display name, an avatar, and fields of any kind.

use std::collections::BTreeMap;

use ruma::{OwnedMxcUri, UserId};
use serde_json::Value;
use store::{Intent, Reader, StoreError, Ticket};

use crate::{
    Accounts,
    applier::AccountChanges,
    change::{Change, Refusal},
    rows::place,
};

/// The field of the display name.
pub const DISPLAY_NAME: &str = "displayname";
/// The field of the avatar.
pub const AVATAR_URL: &str = "avatar_url";

/// The longest name of a field, as the specification says.
const MAX_FIELD_BYTES: usize = 255;

/// How large a profile may be, as the specification says.
const MAX_PROFILE_BYTES: usize = 64 * 1024;

/// How long a display name may be, as rooms have to show it.
const MAX_NAME_CHARACTERS: usize = 256;

/// How long an avatar's address may be.
const MAX_URL_BYTES: usize = 1_000;

/// How somebody is shown in rooms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// Their display name, if it is not empty.
    pub displayname: Option<String>,
    /// Their avatar, if its address is not empty.
    pub avatar_url: Option<OwnedMxcUri>,
}

/// Why a profile field was not set.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// There is no such account, or it is closed.
    #[error("there is no such account")]
    NoSuchUser,
    /// The field's name does not follow the grammar.
    #[error(
        "the name of a profile field begins with a lower-case letter and goes on with those, \
         digits, dots, hyphens and underscores"
    )]
    Field,
    /// The field's name is too long.
    #[error("the name of a profile field has at most {MAX_FIELD_BYTES} bytes")]
    FieldTooLong,
    /// The value is not of the kind that the field has.
    #[error("{0}")]
    Value(&'static str),
    /// The profile would be too large.
    #[error("a profile has at most {MAX_PROFILE_BYTES} bytes")]
    TooLarge,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Refusal> for ProfileError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoSuchUser => Self::NoSuchUser,
            other => Self::Store(other.into_store()),
        }
    }
}

const READ: &str = "SELECT field, value FROM profile_fields \
     WHERE user_id = $1 AND value IS NOT NULL ORDER BY field";

impl Accounts {
    /// The profile of a user here; `None` when there is no such account.
    pub async fn profile(
        &self,
        user_id: &UserId,
    ) -> Result<Option<BTreeMap<String, Value>>, StoreError> {
        let snapshot = self.database().snapshot().await?;
        let names = self.database().names();
        let Some(user) = names.user(&snapshot, user_id.as_str()).await? else {
            return Ok(None);
        };
        let exists = "SELECT user_id FROM accounts WHERE user_id = $1";
        if snapshot.query_opt(exists, &[user.into()]).await?.is_none() {
            return Ok(None);
        }
        self.profile_at(&snapshot, user).await.map(Some)
    }

    /// How a user here is shown in rooms; `None` when there is no such account.
    pub async fn shown(&self, user_id: &UserId) -> Result<Option<Shown>, StoreError> {
        let Some(profile) = self.profile(user_id).await? else {
            return Ok(None);
        };
        let text = |field: &str| profile.get(field)?.as_str().filter(|text| !text.is_empty());
        Ok(Some(Shown {
            displayname: text(DISPLAY_NAME).map(str::to_owned),
            avatar_url: text(AVATAR_URL).map(OwnedMxcUri::from),
        }))
    }

    /// The profile of a user by interned id, as a reader sees it.
    pub async fn profile_at(
        &self,
        reader: &Reader,
        user: i64,
    ) -> Result<BTreeMap<String, Value>, StoreError> {
        let rows = reader.query(READ, &[user.into()]).await?;
        let mut profile = BTreeMap::new();
        for row in &rows {
            let field = row.text(0)?;
            let id = place::field_row(user, field);
            let keyring = &self.inner.keyring;
            let place = place::profile_field(&id);
            let value = keyring.open(reader, place, row.bytes(1)?).await?;
            let value = serde_json::from_slice(&value)
                .map_err(|error| StoreError::Damaged(format!("a profile field: {error}")))?;
            profile.insert(field.to_owned(), value);
        }
        Ok(profile)
    }

    /// Sets a profile field, or takes it back.
    pub async fn set_profile_field(
        &self,
        user: i64,
        field: &str,
        value: Option<&Value>,
    ) -> Result<(), ProfileError> {
        let mut intent = Intent::new();
        self.add_profile_field(&mut intent, user, field, value)
            .await?;
        self.commit(intent).await?;
        Ok(())
    }

    /// Adds a profile field to an intent, for who changes more with it.
    pub async fn add_profile_field(
        &self,
        intent: &mut Intent,
        user: i64,
        field: &str,
        value: Option<&Value>,
    ) -> Result<Ticket<AccountChanges>, ProfileError> {
        if field.len() > MAX_FIELD_BYTES {
            return Err(ProfileError::FieldTooLong);
        }
        if !is_field_name(field) {
            return Err(ProfileError::Field);
        }
        if let Some(value) = value {
            check_value(field, value)?;
            let snapshot = self.database().snapshot().await?;
            let mut profile = self.profile_at(&snapshot, user).await?;
            profile.insert(field.to_owned(), value.clone());
            let whole = serde_json::to_vec(&profile).map_or(usize::MAX, |json| json.len());
            if whole > MAX_PROFILE_BYTES {
                return Err(ProfileError::TooLarge);
            }
        }
        let value = value.map(|value| value.to_string().into_bytes());
        let field = field.to_owned();
        let change = Change::SetProfileField { user, field, value };
        Ok(intent.add::<AccountChanges>(change))
    }
}

/// The Common Namespaced Identifier Grammar.
fn is_field_name(field: &str) -> bool {
    let follows = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'_')
    };
    field.starts_with(|first: char| first.is_ascii_lowercase()) && field.bytes().all(follows)
}

/// Rooms show names and avatars, so they are text, and bounded more tightly than the rest.
fn check_value(field: &str, value: &Value) -> Result<(), ProfileError> {
    match (field, value.as_str()) {
        (DISPLAY_NAME, Some(name)) if name.chars().count() <= MAX_NAME_CHARACTERS => Ok(()),
        (DISPLAY_NAME, _) => Err(ProfileError::Value(
            "a display name is text of at most 256 characters",
        )),
        (AVATAR_URL, Some(url)) if url.len() <= MAX_URL_BYTES => Ok(()),
        (AVATAR_URL, _) => Err(ProfileError::Value(
            "an avatar is an mxc:// address of at most 1,000 bytes",
        )),
        _ => Ok(()),
    }
}

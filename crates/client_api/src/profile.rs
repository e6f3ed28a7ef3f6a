//! What people tell of themselves.

pub(crate) mod delete_profile_field;
pub(crate) mod get_profile;
pub(crate) mod get_profile_field;
pub(crate) mod set_profile_field;

use std::collections::BTreeMap;

use accounts::{Accounts, profile::ProfileError};
use bridging::Bridging;
use lifecycle::SetProfileError;
use ruma::{UserId, api::error::ErrorKind};
use serde_json::Value;

use crate::{caller::AskingAppservice, error::ApiError};

/// What a user tells of themselves. A service makes those that it claims when somebody else asks
/// for them.
pub(crate) async fn profile_of(
    (accounts, bridging): (&Accounts, &Bridging),
    appservice: AskingAppservice,
    user_id: &UserId,
) -> Result<BTreeMap<String, Value>, ApiError> {
    let profile = || async { accounts.profile(user_id).await.map_err(ApiError::internal) };
    let mut known = profile().await?;
    let asking = appservice.demand().ok();
    if known.is_none() && bridging.has_user(user_id, asking.as_ref()).await {
        known = profile().await?;
    }
    known.ok_or_else(|| ApiError::not_found("there is no such user"))
}

impl From<SetProfileError> for ApiError {
    fn from(error: SetProfileError) -> Self {
        match error {
            SetProfileError::Profile(ProfileError::NoSuchUser) => Self::not_found(error),
            SetProfileError::Profile(ProfileError::Field | ProfileError::Value(_)) => {
                Self::invalid_param(error)
            }
            SetProfileError::Profile(ProfileError::FieldTooLong) => {
                let status = http::StatusCode::BAD_REQUEST;
                Self::new(status, ErrorKind::KeyTooLarge, error)
            }
            SetProfileError::Profile(ProfileError::TooLarge) => {
                let status = http::StatusCode::BAD_REQUEST;
                Self::new(status, ErrorKind::ProfileTooLarge, error)
            }
            SetProfileError::Profile(ProfileError::Store(error))
            | SetProfileError::Store(error) => Self::internal(error),
        }
    }
}

//! What people tell of themselves.

pub(crate) mod delete_profile_field;
pub(crate) mod get_profile;
pub(crate) mod get_profile_field;
pub(crate) mod set_profile_field;

use accounts::profile::ProfileError;
use lifecycle::SetProfileError;
use ruma::api::error::ErrorKind;

use crate::error::ApiError;

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

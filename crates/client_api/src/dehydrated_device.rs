//! Dehydrated devices ([MSC3814]).
//!
//! [MSC3814]: https://github.com/matrix-org/matrix-spec-proposals/pull/3814

pub(crate) mod delete_dehydrated_device;
pub(crate) mod get_dehydrated_device;
pub(crate) mod get_events;
pub(crate) mod put_dehydrated_device;

use std::time::Duration;

use lifecycle::DehydrateError;

use crate::error::ApiError;

impl From<DehydrateError> for ApiError {
    fn from(error: DehydrateError) -> Self {
        match error {
            DehydrateError::SignedIn => Self::invalid_param(error),
            DehydrateError::Overtaken => Self::limit_exceeded(Duration::from_secs(1)),
            DehydrateError::Upload(error) => error.into(),
        }
    }
}

fn none() -> ApiError {
    ApiError::not_found("you have no dehydrated device")
}

//! Where the caller wants to be told of what notifies them.

pub(crate) mod get_pushers;
pub(crate) mod set_pusher;

use pushers::PusherError;

use crate::error::ApiError;

impl From<PusherError> for ApiError {
    fn from(error: PusherError) -> Self {
        match error {
            PusherError::TooLong { .. } => Self::invalid_param(error),
            PusherError::Refused(refusal) => Self::forbidden(refusal),
            PusherError::Store(error) => Self::internal(error),
        }
    }
}

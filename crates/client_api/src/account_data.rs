//! What clients keep here for their owner.

pub(crate) mod get_global_account_data;
pub(crate) mod get_room_account_data;
pub(crate) mod set_global_account_data;
pub(crate) mod set_room_account_data;

use accounts::account_data::AccountDataError;
use ruma::api::error::ErrorKind;

use crate::error::ApiError;

/// The read marker, which has an endpoint of its own.
const FULLY_READ: &str = "m.fully_read";

/// Refuses the types that the server itself writes.
fn check_kind(kind: &str) -> Result<(), ApiError> {
    if kind == FULLY_READ || kind == accounts::push_rules::PUSH_RULES {
        return Err(ApiError::new(
            http::StatusCode::METHOD_NOT_ALLOWED,
            ErrorKind::BadJson,
            format_args!("{kind} is set through an endpoint of its own"),
        ));
    }
    Ok(())
}

fn not_set() -> ApiError {
    ApiError::not_found("there is no account data of this type")
}

impl From<AccountDataError> for ApiError {
    fn from(error: AccountDataError) -> Self {
        match error {
            AccountDataError::NoSuchUser => Self::not_found(error),
            AccountDataError::Kind => Self::invalid_param(error),
            AccountDataError::TooLarge => Self::too_large(error),
            AccountDataError::Store(error) => Self::internal(error),
        }
    }
}

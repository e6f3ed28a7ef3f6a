//! What administrators may ask and do about people.

pub(crate) mod get_user_info;
pub(crate) mod lock_user;
pub(crate) mod suspend_user;

use accounts::{Accounts, By, RestrictError, Restriction};
use audit::Origin;
use ruma::UserId;

use crate::{caller::Caller, error::ApiError};

/// Whether somebody is under a restriction.
async fn is_restricted(
    accounts: &Accounts,
    caller: &Caller,
    user_id: &UserId,
    restriction: Restriction,
) -> Result<bool, ApiError> {
    let account = accounts.restrictable(&caller.session()?, user_id).await?;
    Ok(restriction.holds_for(&account))
}

/// Puts somebody under a restriction, or frees them.
async fn restrict(
    accounts: &Accounts,
    caller: &Caller,
    user_id: &UserId,
    (restriction, holds): (Restriction, bool),
    origin: Origin,
) -> Result<(), ApiError> {
    let session = caller.session()?;
    let by = By::session(&session, origin);
    let done = accounts.restrict(&session, user_id, restriction, holds, by);
    Ok(done.await?)
}

impl From<RestrictError> for ApiError {
    fn from(error: RestrictError) -> Self {
        match error {
            RestrictError::NotAdministrator | RestrictError::ToAdministrator => {
                Self::forbidden(error)
            }
            RestrictError::Elsewhere => Self::invalid_param(error),
            RestrictError::NoSuchUser => Self::not_found(error),
            RestrictError::Store(error) => Self::internal(error),
        }
    }
}

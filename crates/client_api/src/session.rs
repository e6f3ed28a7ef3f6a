//! Whose token it is: [`Accounts`] tells.

use accounts::{Accounts, AuthError};
use futures_util::future::BoxFuture;

use crate::caller::{AuthFailure, Authenticate, Caller};

impl Authenticate for Accounts {
    fn authenticate<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Caller, AuthFailure>> {
        Box::pin(async move {
            let session = Self::authenticate(self, token)
                .await
                .map_err(|error| match error {
                    AuthError::Unknown => AuthFailure::Unknown,
                    AuthError::Expired => AuthFailure::Expired,
                    AuthError::Store(error) => AuthFailure::Internal(error.into()),
                })?;
            Ok(Caller {
                user_id: session.user_id,
                user: session.user,
                device_id: Some(session.device_id),
                session: session.session,
                is_guest: false,
                is_admin: session.admin,
            })
        })
    }
}

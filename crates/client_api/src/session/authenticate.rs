//! Access tokens of people, looked up in [`Accounts`].

use std::net::IpAddr;

use accounts::{Accounts, AuthError, Session};
use futures_util::future::BoxFuture;

use crate::{
    caller::{AuthFailure, Authenticate, Caller, Standing},
    error::ApiError,
};

impl Authenticate for Accounts {
    fn authenticate<'a>(
        &'a self,
        token: &'a str,
        address: Option<IpAddr>,
    ) -> BoxFuture<'a, Result<Caller, AuthFailure>> {
        Box::pin(async move {
            let session = Accounts::authenticate(self, token).await?;
            if let Err(error) = self.note_activity(&session, address).await {
                // When a device was last seen is no reason to refuse what it asks.
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, "a device's activity could not be noted");
            }
            Ok(Caller {
                user_id: session.user_id,
                user: session.user,
                device_id: Some(session.device_id),
                session: session.session,
                appservice: None,
                is_guest: session.guest,
                is_admin: session.admin,
                standing: match (session.locked, session.suspended) {
                    (true, _) => Standing::Locked,
                    (false, true) => Standing::Suspended,
                    (false, false) => Standing::Good,
                },
            })
        })
    }
}

impl From<AuthError> for AuthFailure {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Unknown => Self::Unknown,
            AuthError::Lost => Self::Lost,
            AuthError::Expired => Self::Expired,
            AuthError::Store(error) => Self::Internal(error.into()),
        }
    }
}

impl Caller {
    /// The caller's session, for what only somebody with a device can do.
    pub(crate) fn session(&self) -> Result<Session, ApiError> {
        let device_id = self.device_id.clone().ok_or_else(|| {
            ApiError::forbidden(
                "this needs a session: an application service names its device in the query, as \
                 device_id",
            )
        })?;
        Ok(Session {
            user_id: self.user_id.clone(),
            user: self.user,
            device_id,
            session: self.session,
            admin: self.is_admin,
            locked: self.standing == Standing::Locked,
            suspended: self.standing == Standing::Suspended,
            guest: self.is_guest,
        })
    }
}

//! Guests: people who have an account without a password, and can make it their own.

use crate::{
    Accounts, AuthError, By, Grant, NewAccount, NewDevice, RegisterError, Registered, Session,
};

impl Accounts {
    /// Makes a guest's account under a name that nobody chose, and begins its only session, on a
    /// device that gets the name `device_name`.
    pub async fn register_guest(
        &self,
        device_name: Option<String>,
        by: By,
    ) -> Result<Registered, RegisterError> {
        let device = NewDevice {
            display_name: device_name,
            ..NewDevice::default()
        };
        let new = NewAccount {
            device: Some(device),
            ..NewAccount::default()
        };
        self.register(new, Grant::Guest, by).await
    }

    /// The session of the guest of this name whose access token it is.
    pub async fn guest(&self, token: &str, localpart: &str) -> Result<Session, RegisterError> {
        match self.authenticate(token).await {
            Ok(session) if session.guest && session.user_id.localpart() == localpart => Ok(session),
            Err(AuthError::Store(error)) => Err(error.into()),
            Ok(_) | Err(AuthError::Unknown | AuthError::Lost | AuthError::Expired) => {
                Err(RegisterError::NotThisGuest)
            }
        }
    }
}

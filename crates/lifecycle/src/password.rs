//! New passwords, and the sessions that end with the old one.

use accounts::{By, PasswordError, WeakPassword};
use audit::{Act, Actor};
use ruma::{DeviceId, UserId};
use store::{Intent, StoreError};

use crate::{Lifecycle, Whose};

/// Which sessions end when a password changes.
#[derive(Clone, Copy, Debug)]
pub enum AfterPassword<'a> {
    /// None.
    KeepSessions,
    /// All but the session that changed it.
    EndOthers(&'a DeviceId),
    /// All.
    EndAll,
}

/// Why a password was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangePasswordError {
    /// There is no such account, or it is closed.
    #[error("there is no such account")]
    NoSuchUser,
    /// The account is a guest's, or the server's own, and has no password.
    #[error("this account is no person's: it has no password")]
    NoPerson,
    /// The password is not taken.
    #[error(transparent)]
    Weak(#[from] WeakPassword),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<PasswordError> for ChangePasswordError {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::NoSuchUser => Self::NoSuchUser,
            PasswordError::NoPerson => Self::NoPerson,
            PasswordError::Weak(weak) => Self::Weak(weak),
            PasswordError::Store(error) => Self::Store(error),
        }
    }
}

impl Lifecycle {
    /// Sets a password. Its sessions end in the same change.
    pub async fn change_password(
        &self,
        whose: Whose<'_>,
        new: &str,
        after: AfterPassword<'_>,
        by: &By,
    ) -> Result<(), ChangePasswordError> {
        let own = matches!(&by.actor, Actor::User { user_id, .. } if user_id == whose.1.as_str());
        let act = if own {
            Act::PasswordChanged
        } else {
            Act::PasswordReset
        };
        let keep = match after {
            AfterPassword::KeepSessions | AfterPassword::EndAll => None,
            AfterPassword::EndOthers(device_id) => Some(device_id),
        };
        let ends = !matches!(after, AfterPassword::KeepSessions);
        let mut intent = Intent::new();
        let accounts = &self.accounts;
        accounts
            .add_password(&mut intent, whose, new, act, by)
            .await?;
        let devices = if ends {
            self.some_devices(whose, keep).await?
        } else {
            Vec::new()
        };
        if !devices.is_empty() {
            accounts.add_sign_out_everywhere(&mut intent, whose, &devices, by);
            self.add_drop_keys(&mut intent, whose, &devices);
        }
        self.commit_accounts(intent)
            .await
            .map_err(PasswordError::from)?;
        if ends && !self.some_devices(whose, keep).await?.is_empty() {
            // More than one change can end, or begun since: rare, and ended one step later.
            self.sign_out_everywhere(whose, keep, by).await?;
        }
        Ok(())
    }

    /// Sets a person's password as an administrator; all of their sessions end.
    pub async fn reset_password(
        &self,
        user_id: &UserId,
        new: &str,
        by: &By,
    ) -> Result<(), ChangePasswordError> {
        let account = self.accounts.account(user_id).await?;
        let account = account.ok_or(ChangePasswordError::NoSuchUser)?;
        let whose = (account.user, user_id);
        self.change_password(whose, new, AfterPassword::EndAll, by)
            .await
    }
}

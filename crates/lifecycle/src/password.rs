//! New passwords, and the sessions that end with the old one.

use accounts::{
    By, PasswordError, Refusal, WeakPassword,
    emails::{EmailChanges, ForgottenPassword},
};
use audit::{Act, Actor, Origin};
use ruma::{DeviceId, UserId};
use store::{CommitError, Intent, StoreError};

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

impl<'a> AfterPassword<'a> {
    /// Whether sessions end, and which one does not.
    const fn ends(self) -> Option<Option<&'a DeviceId>> {
        match self {
            Self::KeepSessions => None,
            Self::EndOthers(device_id) => Some(Some(device_id)),
            Self::EndAll => Some(None),
        }
    }
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

/// Why a forgotten password was not replaced.
#[derive(Debug, thiserror::Error)]
pub enum ResetPasswordError {
    /// The proof was used, or does not hold any more.
    #[error("the proof was used already, or does not hold any more")]
    Spent,
    /// The password was not changed.
    #[error(transparent)]
    Change(#[from] ChangePasswordError),
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
    /// Sets a password. Its sessions end in the same change, which its owner is written to of.
    pub async fn change_password(
        &self,
        whose: Whose<'_>,
        new: &str,
        after: AfterPassword<'_>,
        by: &By,
    ) -> Result<(), ChangePasswordError> {
        let intent = Intent::new();
        let intent = self.add_password(intent, whose, new, after, by).await?;
        self.commit_accounts(intent)
            .await
            .map_err(PasswordError::from)?;
        self.end_what_is_left(whose, after, by).await?;
        Ok(())
    }

    /// Sets the password of who has forgotten it, and uses up what proved that it is them.
    pub async fn reset_forgotten_password(
        &self,
        proof: &ForgottenPassword,
        new: &str,
        after: AfterPassword<'_>,
        origin: Origin,
    ) -> Result<(), ResetPasswordError> {
        let whose = (proof.user, &*proof.user_id);
        let by = proof.by(origin);
        let mut intent = Intent::new();
        proof.add_use(&mut intent);
        let intent = self.add_password(intent, whose, new, after, &by).await?;
        let committed = self.log.commit(intent).await;
        committed.map_err(refused)?;
        self.end_what_is_left(whose, after, &by)
            .await
            .map_err(ChangePasswordError::from)?;
        Ok(())
    }

    /// Adds a new password to an intent, with the end of the sessions that end with the old one.
    async fn add_password(
        &self,
        mut intent: Intent,
        whose: Whose<'_>,
        new: &str,
        after: AfterPassword<'_>,
        by: &By,
    ) -> Result<Intent, ChangePasswordError> {
        let own = matches!(&by.actor, Actor::User { user_id, .. } if user_id == whose.1.as_str());
        let act = if own {
            Act::PasswordChanged
        } else {
            Act::PasswordReset
        };
        let accounts = &self.accounts;
        accounts
            .add_password(&mut intent, whose, new, act, by)
            .await?;
        accounts.add_password_notice(&mut intent, whose.0);
        let devices = match after.ends() {
            Some(keep) => self.some_devices(whose, keep).await?,
            None => Vec::new(),
        };
        if !devices.is_empty() {
            accounts.add_sign_out_everywhere(&mut intent, whose, &devices, by);
            self.add_drop_belongings(&mut intent, whose, &devices);
        }
        Ok(intent)
    }

    /// More than one change can end, or begun since: rare, and ended one step later.
    async fn end_what_is_left(
        &self,
        whose: Whose<'_>,
        after: AfterPassword<'_>,
        by: &By,
    ) -> Result<(), StoreError> {
        if let Some(keep) = after.ends()
            && !self.some_devices(whose, keep).await?.is_empty()
        {
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

/// What refuses the reset of a password: the proof, or the account.
fn refused(error: CommitError) -> ResetPasswordError {
    let change = |error: PasswordError| ResetPasswordError::Change(error.into());
    let error = match error.refusal::<EmailChanges>() {
        Ok(refusal) => {
            return match ForgottenPassword::is_spent(refusal) {
                Ok(()) => ResetPasswordError::Spent,
                Err(error) => change(PasswordError::Store(error)),
            };
        }
        Err(error) => error,
    };
    let refusal = match error.refusal::<accounts::AccountChanges>() {
        Ok(refusal) => refusal,
        Err(error) => Refusal::Store(error.into_store()),
    };
    change(refusal.into())
}

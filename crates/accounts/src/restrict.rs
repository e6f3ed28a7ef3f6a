//! Locking and suspending people, as administrators do it.

use audit::{Act, Target};
use ruma::UserId;
use store::StoreError;

use crate::{
    Account, Accounts, By, Session,
    change::{Change, Refusal, Restriction},
};

/// Why a person was neither restricted nor freed, or is not shown.
#[derive(Debug, thiserror::Error)]
pub enum RestrictError {
    /// Who asks is no administrator.
    #[error("only an administrator of this server can do this")]
    NotAdministrator,
    /// The other is an administrator too, or it is oneself.
    #[error("an administrator can be neither locked nor suspended")]
    ToAdministrator,
    /// The other is on another server.
    #[error("this user is not of this server")]
    Elsewhere,
    /// There is no such account, or it is closed.
    #[error("there is no such account")]
    NoSuchUser,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Refusal> for RestrictError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotAdministrator => Self::NotAdministrator,
            Refusal::ToAdministrator => Self::ToAdministrator,
            Refusal::NoSuchUser => Self::NoSuchUser,
            other => Self::Store(other.into_store()),
        }
    }
}

impl Restriction {
    const fn act(self, holds: bool) -> Act {
        match (self, holds) {
            (Self::Lock, true) => Act::AccountLocked,
            (Self::Lock, false) => Act::AccountUnlocked,
            (Self::Suspension, true) => Act::AccountSuspended,
            (Self::Suspension, false) => Act::SuspensionLifted,
        }
    }

    /// Whether an account is under it.
    pub const fn holds_for(self, account: &Account) -> bool {
        match self {
            Self::Lock => account.locked,
            Self::Suspension => account.suspended,
        }
    }
}

impl Accounts {
    /// Locks or suspends a person in an administrator's name, or frees them; doing what is done
    /// already succeeds. What is refused is recorded too.
    pub async fn restrict(
        &self,
        session: &Session,
        user_id: &UserId,
        restriction: Restriction,
        holds: bool,
        by: By,
    ) -> Result<(), RestrictError> {
        let target = Target::user(user_id.as_str());
        let record = by.record(restriction.act(holds)).on(target);
        let refusal = match self.restrictable(session, user_id).await {
            Ok(account) if restriction.holds_for(&account) == holds => return Ok(()),
            Ok(account) => {
                let change = Change::Restrict {
                    user: account.user,
                    restriction,
                    holds,
                    by: session.user,
                };
                match self.commit_one(change, Some(record.clone())).await {
                    Ok(_) => return Ok(()),
                    Err(refusal) => refusal.into(),
                }
            }
            Err(refusal) => refusal,
        };
        if !matches!(refusal, RestrictError::Store(_)) {
            self.record_refusal(record.refused(refusal.to_string()))
                .await?;
        }
        Err(refusal)
    }

    /// The account of a person whom an administrator may restrict.
    ///
    /// Who is no administrator learns nothing of the account, not even whether it exists.
    pub async fn restrictable(
        &self,
        session: &Session,
        user_id: &UserId,
    ) -> Result<Account, RestrictError> {
        if !session.admin {
            return Err(RestrictError::NotAdministrator);
        }
        if user_id.server_name() != self.server_name() {
            return Err(RestrictError::Elsewhere);
        }
        let account = self.account(user_id).await?;
        let account = account.filter(|account| account.deactivated_at.is_none());
        let account = account.ok_or(RestrictError::NoSuchUser)?;
        match account.admin {
            true => Err(RestrictError::ToAdministrator),
            false => Ok(account),
        }
    }
}

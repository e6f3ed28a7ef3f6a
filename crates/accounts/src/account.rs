//! One account: finding it, its password, its rights, its end.

use audit::{Act, AuditTrail, Target};
use model::time::Timestamp;
use ruma::{OwnedUserId, UserId};
use store::{Intent, StoreError};

use crate::{
    AccountKind, Accounts, By, WeakPassword,
    applier::AccountChanges,
    change::{Change, Refusal},
    password, rows,
};

/// An account as administrators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub user_id: OwnedUserId,
    /// The same, interned.
    pub user: i64,
    /// Whether it is an administrator's.
    pub admin: bool,
    /// Whether its owner can do nothing with it, for now.
    pub locked: bool,
    /// Whether its owner can do little but read, for now.
    pub suspended: bool,
    /// Whose it is.
    pub kind: AccountKind,
    /// Whether one can sign in to it with a password.
    pub has_password: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was closed.
    pub deactivated_at: Option<Timestamp>,
}

/// What sign-in needs to know of an account.
pub(crate) struct Found {
    pub(crate) account: Account,
    pub(crate) password_hash: Option<String>,
}

/// Why an account was not changed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// There is no such account, or it is closed.
    #[error("there is no such account")]
    NoSuchUser,
    /// The account is a guest's, or the server's own.
    #[error("this account is no person's")]
    NoPerson,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Refusal> for AccountError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoSuchUser => Self::NoSuchUser,
            Refusal::NoPerson => Self::NoPerson,
            other => Self::Store(other.into_store()),
        }
    }
}

/// Why a password was not set.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
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

impl From<Refusal> for PasswordError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoSuchUser => Self::NoSuchUser,
            Refusal::NoPerson => Self::NoPerson,
            other => Self::Store(other.into_store()),
        }
    }
}

const READ: &str = "SELECT user_id, admin, password_hash, created_at, deactivated_at, locked, \
     suspended, kind FROM accounts WHERE user_id = $1";
const LIST: &str = "SELECT user_id, admin, password_hash, created_at, deactivated_at, locked, \
     suspended, kind FROM accounts WHERE user_id > $1 ORDER BY user_id LIMIT $2";

impl Accounts {
    /// Finds an account by its id.
    pub async fn account(&self, user_id: &UserId) -> Result<Option<Account>, StoreError> {
        Ok(self.find(user_id).await?.map(|found| found.account))
    }

    pub(crate) async fn find(&self, user_id: &UserId) -> Result<Option<Found>, StoreError> {
        let snapshot = self.database().snapshot().await?;
        let names = self.database().names();
        let Some(user) = names.user(&snapshot, user_id.as_str()).await? else {
            return Ok(None);
        };
        let Some(row) = snapshot.query_opt(READ, &[user.into()]).await? else {
            return Ok(None);
        };
        Ok(Some(Found {
            account: account_of(&row, user_id.to_owned())?,
            password_hash: row.opt_text(2)?.map(str::to_owned),
        }))
    }

    /// Lists accounts in the order in which they were first named, after one of them.
    pub async fn list(&self, after: i64, limit: u16) -> Result<Vec<Account>, StoreError> {
        let snapshot = self.database().snapshot().await?;
        let params = [after.into(), i64::from(limit).into()];
        let mut accounts = Vec::new();
        for row in snapshot.query(LIST, &params).await? {
            let names = self.database().names();
            let name = names.user_name(&snapshot, row.int(0)?).await?;
            accounts.push(account_of(&row, rows::user_id(&name)?)?);
        }
        Ok(accounts)
    }

    /// Adds a new password to an intent; `act` says whether its owner or an administrator sets it.
    pub async fn add_password(
        &self,
        intent: &mut Intent,
        (user, user_id): (i64, &UserId),
        new: &str,
        act: Act,
        by: &By,
    ) -> Result<(), PasswordError> {
        password::check(new)?;
        let hash = self.inner.passwords.hash(new).await?;
        intent.add::<AccountChanges>(Change::SetPassword {
            user,
            expected: None,
            hash,
        });
        intent.add::<AuditTrail>(by.record(act).on(Target::user(user_id.as_str())));
        Ok(())
    }

    /// Makes an account an administrator's, or not. An administrator is neither locked nor
    /// suspended: no other could free them.
    pub async fn set_admin(
        &self,
        user_id: &UserId,
        admin: bool,
        by: By,
    ) -> Result<(), AccountError> {
        let account = self.account(user_id).await?;
        let user = account.ok_or(AccountError::NoSuchUser)?.user;
        let act = if admin {
            Act::AdminGranted
        } else {
            Act::AdminRevoked
        };
        let record = by.record(act).on(Target::user(user_id.as_str()));
        let change = Change::SetAdmin { user, admin };
        self.commit_one(change, Some(record)).await?;
        Ok(())
    }

    /// Adds the end of an account to an intent: its password, devices, addresses of mail, account
    /// data and filters go, and with `erase` its profile.
    pub fn add_deactivation(
        &self,
        intent: &mut Intent,
        (user, user_id): (i64, &UserId),
        erase: bool,
        by: &By,
    ) {
        intent.add::<AccountChanges>(Change::Deactivate { user, erase });
        Self::add_drop_emails(intent, user);
        let record = by
            .record(Act::AccountDeactivated)
            .on(Target::user(user_id.as_str()))
            .with("erase", erase.to_string());
        intent.add::<AuditTrail>(record);
    }
}

fn account_of(row: &store::Row, user_id: OwnedUserId) -> Result<Account, StoreError> {
    Ok(Account {
        user_id,
        user: row.int(0)?,
        admin: row.flag(1)?,
        locked: row.flag(5)?,
        suspended: row.flag(6)?,
        kind: AccountKind::read(row.int(7)?)?,
        has_password: row.opt_text(2)?.is_some(),
        created_at: Timestamp::from_millis(row.int(3)?),
        deactivated_at: row.opt_int(4)?.map(Timestamp::from_millis),
    })
}

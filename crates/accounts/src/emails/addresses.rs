//! The addresses that stand for an account, and whose an address is.

use audit::{Act, AuditTrail, Target};
use model::{mail_address::MailAddress, time::Timestamp};
use ruma::{OwnedUserId, UserId};
use store::{CommitError, Intent, StoreError};

use super::{
    EmailPurpose,
    applier::EmailChanges,
    change::{EmailChange, EmailRefusal},
    rows::{address_of, hash_of, place},
    uses::claim_of,
};
use crate::{Accounts, By, applier::AccountChanges, change::Refusal, invites, rows};

/// An address that stands for an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmailAddress {
    /// The address.
    pub address: MailAddress,
    /// When its owner proved that they read it.
    pub validated_at: Timestamp,
    /// When it was added to the account.
    pub added_at: Timestamp,
}

/// Why an address was not added.
#[derive(Debug, thiserror::Error)]
pub enum EmailError {
    /// Nobody has confirmed it, or too long ago, or that was used already.
    #[error("the address of mail was not confirmed, or too long ago, or that was used already")]
    NotConfirmed,
    /// It belongs to another account.
    #[error("the address of mail belongs to an account already")]
    InUse,
    /// The account has as many addresses as one can have.
    #[error("an account has at most {0} addresses of mail")]
    TooMany(i64),
    /// The account may not act: it is closed, locked or suspended.
    #[error("{0}")]
    Standing(Refusal),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<EmailRefusal> for EmailError {
    fn from(refusal: EmailRefusal) -> Self {
        match refusal {
            EmailRefusal::NotConfirmed => Self::NotConfirmed,
            EmailRefusal::InUse => Self::InUse,
            EmailRefusal::TooMany(most) => Self::TooMany(most),
            other => Self::Store(other.into_store()),
        }
    }
}

impl From<CommitError> for EmailError {
    fn from(error: CommitError) -> Self {
        let error = match error.refusal::<EmailChanges>() {
            Ok(refusal) => return refusal.into(),
            Err(error) => error,
        };
        match error.refusal::<AccountChanges>() {
            Ok(Refusal::Store(error)) => Self::Store(error),
            Ok(refusal) => Self::Standing(refusal),
            Err(error) => Self::Store(error.into_store()),
        }
    }
}

const LIST: &str = "SELECT address_hash, address, validated_at, added_at FROM email_addresses \
     WHERE user_id = $1 ORDER BY added_at, address_hash";
const FIND: &str = "SELECT user_id FROM email_addresses WHERE address_hash = $1";

impl Accounts {
    /// The addresses of an account, in the order in which they were added.
    pub async fn emails(&self, user: i64) -> Result<Vec<EmailAddress>, StoreError> {
        let snapshot = self.database().snapshot().await?;
        let mut addresses = Vec::new();
        for row in snapshot.query(LIST, &[user.into()]).await? {
            let id = place::hash_row(&hash_of(row.bytes(0)?)?);
            let keyring = &self.inner.keyring;
            let opened = keyring.open(&snapshot, place::address(&id), row.bytes(1)?);
            addresses.push(EmailAddress {
                address: address_of(&opened.await?)?,
                validated_at: Timestamp::from_millis(row.int(2)?),
                added_at: Timestamp::from_millis(row.int(3)?),
            });
        }
        Ok(addresses)
    }

    /// Whose account an address stands for.
    pub async fn email_owner(
        &self,
        address: &MailAddress,
    ) -> Result<Option<OwnedUserId>, StoreError> {
        let snapshot = self.database().snapshot().await?;
        let hash = self.email_hash(address);
        let Some(row) = snapshot.query_opt(FIND, &[hash.as_slice().into()]).await? else {
            return Ok(None);
        };
        let names = self.database().names();
        let name = names.user_name(&snapshot, row.int(0)?).await?;
        Ok(Some(rows::user_id(&name)?))
    }

    /// Whether an address stands for an account.
    pub async fn has_email(&self, user: i64, address: &MailAddress) -> Result<bool, StoreError> {
        let hash = self.email_hash(address);
        let params = [hash.as_slice().into()];
        let row = self.database().query_opt(FIND, &params).await?;
        row.map_or(Ok(false), |row| Ok(row.int(0)? == user))
    }

    /// Adds an address that its owner has proved to read to their account.
    pub async fn add_email(
        &self,
        (user, user_id): (i64, &UserId),
        session_id: &str,
        client_secret: &str,
        by: &By,
    ) -> Result<(), EmailError> {
        let claim = claim_of(session_id, client_secret).ok_or(EmailError::NotConfirmed)?;
        let mut intent = Intent::new();
        invites::demand_standing(&mut intent, user);
        intent.add::<EmailChanges>(EmailChange::Add {
            user_id: user_id.to_owned(),
            claim,
            purpose: EmailPurpose::AddAddress,
        });
        let record = by.record(Act::EmailAdded);
        intent.add::<AuditTrail>(record.on(Target::user(user_id.as_str())));
        self.inner.log.commit(intent).await?;
        Ok(())
    }

    /// Takes an address from an account; one that it does not have is gone already.
    pub async fn remove_email(
        &self,
        (user, user_id): (i64, &UserId),
        address: &MailAddress,
        by: &By,
    ) -> Result<(), StoreError> {
        let mut intent = Intent::new();
        intent.add::<EmailChanges>(EmailChange::Remove {
            user,
            address: self.email_hash(address),
        });
        let record = by.record(Act::EmailRemoved);
        intent.add::<AuditTrail>(record.on(Target::user(user_id.as_str())));
        let committed = self.commit_emails(intent).await;
        committed.map(drop).map_err(EmailRefusal::into_store)
    }

    /// Takes all addresses from an account that an intent closes.
    pub(crate) fn add_drop_emails(intent: &mut Intent, user: i64) {
        intent.add::<EmailChanges>(EmailChange::RemoveAll { user });
    }
}

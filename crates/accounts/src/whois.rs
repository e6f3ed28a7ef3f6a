//! What is known of a person's devices, for themselves and for administrators.

use audit::{Act, Target};
use ruma::UserId;
use store::{Intent, StoreError};

use crate::{Accounts, By, Device, Session};

/// Why a person's devices are not shown.
#[derive(Debug, thiserror::Error)]
pub enum WhoisError {
    /// Who asks for another is no administrator.
    #[error("only an administrator of this server can look at others")]
    NotAdministrator,
    /// There is no such account.
    #[error("there is no such account")]
    NoSuchUser,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Accounts {
    /// The devices of a person, and from where they were seen. That an administrator looked is
    /// recorded, and that somebody else tried to.
    pub async fn whois(
        &self,
        session: &Session,
        user_id: &UserId,
        by: By,
    ) -> Result<Vec<Device>, WhoisError> {
        if session.user_id == user_id {
            return Ok(self.devices_of(session.user).await?);
        }
        let target = Target::user(user_id.as_str());
        let record = by.record(Act::AdministratorActed).on(target);
        let record = record.with("act", "whois");
        if !session.admin {
            let refusal = WhoisError::NotAdministrator;
            self.record_refusal(record.refused(refusal.to_string()))
                .await?;
            return Err(refusal);
        }
        let account = self.account(user_id).await?;
        let account = account.ok_or(WhoisError::NoSuchUser)?;
        let mut intent = Intent::new();
        intent.add::<audit::AuditTrail>(record);
        let committed = self.commit(intent).await;
        committed.map_err(|refusal| WhoisError::Store(refusal.into_store()))?;
        Ok(self.devices_of(account.user).await?)
    }
}

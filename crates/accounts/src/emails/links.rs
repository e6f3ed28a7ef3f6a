//! The links in mails, which prove that somebody reads them.

use store::{Snapshot, StoreError};

use super::{
    EmailPurpose,
    change::{EmailChange, EmailOutcome, EmailRefusal},
    rows::SessionRow,
    work::{READ_LINK, READ_SESSION, session_of},
};
use crate::{Accounts, secret};

/// What a link in a mail is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmailLink {
    /// Its reader can confirm what they asked for.
    Usable(EmailPurpose),
    /// It was never sent, what it proved was used, or it has expired.
    Unknown,
}

/// What somebody has confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmed {
    /// Where they go on: an address that whoever asked for the mail chose.
    pub next_link: Option<String>,
}

impl Accounts {
    /// Looks at a link, and changes nothing: programs that read mail open links too.
    pub async fn email_link(&self, token: &str) -> Result<EmailLink, StoreError> {
        let Some(token) = secret::presented(token) else {
            return Ok(EmailLink::Unknown);
        };
        let snapshot = self.database().snapshot().await?;
        let params = [token.as_slice().into()];
        let Some(row) = snapshot.query_opt(READ_LINK, &params).await? else {
            return Ok(EmailLink::Unknown);
        };
        let Some(session_id) = row.opt_text(0)? else {
            return Ok(EmailLink::Unknown);
        };
        let session = self.email_session(&snapshot, session_id).await?;
        let session = session.filter(|session| self.now() < session.expires_at);
        Ok(session.map_or(EmailLink::Unknown, |session| {
            EmailLink::Usable(session.purpose)
        }))
    }

    /// Confirms what a link was sent for; `None` when the link is good for nothing. Doing it again
    /// changes nothing.
    pub async fn confirm_email(&self, token: &str) -> Result<Option<Confirmed>, StoreError> {
        let Some(token) = secret::presented(token) else {
            return Ok(None);
        };
        match self.commit_email(EmailChange::Confirm { token }).await {
            Ok(EmailOutcome::Confirmed(next_link)) => Ok(Some(Confirmed { next_link })),
            Ok(_) | Err(EmailRefusal::LinkNotValid) => Ok(None),
            Err(refusal) => Err(refusal.into_store()),
        }
    }

    pub(crate) async fn email_session(
        &self,
        snapshot: &Snapshot,
        session_id: &str,
    ) -> Result<Option<SessionRow>, StoreError> {
        let params = [session_id.into()];
        let Some(row) = snapshot.query_opt(READ_SESSION, &params).await? else {
            return Ok(None);
        };
        let keyring = &self.inner.keyring;
        let session = session_of(keyring, snapshot, session_id, &row).await?;
        Ok(Some(session))
    }
}

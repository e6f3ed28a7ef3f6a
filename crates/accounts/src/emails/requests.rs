//! Asking for a proof that somebody reads an address.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use model::{language::Language, mail_address::MailAddress};
use store::{Intent, StoreError};

use super::{
    EmailPurpose,
    applier::EmailChanges,
    change::{Ask, EmailChange, EmailOutcome, EmailRefusal},
};
use crate::{
    Accounts,
    rows::Hash,
    secret::{self, Secret},
};

/// A proof that is asked for.
pub struct EmailRequest<'a> {
    /// What it is for.
    pub purpose: EmailPurpose,
    /// The address.
    pub address: MailAddress,
    /// What the client, and nobody else, knows of the session.
    pub client_secret: &'a str,
    /// Which mail of the session this is: only a higher number than before asks for another one.
    pub send_attempt: i64,
    /// Where the person goes on, once they have confirmed.
    pub next_link: Option<String>,
    /// The language of the mail.
    pub language: Language,
}

/// Why no proof was begun.
#[derive(Debug, thiserror::Error)]
pub enum EmailRequestError {
    /// This server sends no mail.
    #[error("this server sends no mail")]
    NoMail,
    /// The address was sent as many mails as it may be sent.
    #[error("this address was sent many mails already; try again later")]
    TooMany(Duration),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<EmailRefusal> for EmailRequestError {
    fn from(refusal: EmailRefusal) -> Self {
        match refusal {
            EmailRefusal::TooManyMails(wait) => Self::TooMany(wait),
            other => Self::Store(other.into_store()),
        }
    }
}

impl Accounts {
    /// Whether this server sends mail, and so can prove addresses.
    pub fn sends_mail(&self) -> bool {
        self.inner.settings.mail
    }

    /// Begins a proof, or goes on with one; gives the session's id, which is the same for the same
    /// address, secret and purpose.
    ///
    /// Nobody learns from this whether somebody here has the address.
    pub async fn request_email(
        &self,
        request: EmailRequest<'_>,
    ) -> Result<String, EmailRequestError> {
        if !self.sends_mail() {
            return Err(EmailRequestError::NoMail);
        }
        let session_id = self.email_session_id(&request);
        let token = Secret::new(&*self.inner.entropy, secret::EMAIL);
        let ask = Ask {
            session_id: session_id.clone(),
            secret_hash: secret::hash(request.client_secret),
            purpose: request.purpose,
            address_hash: self.email_hash(&request.address),
            address: request.address,
            send_attempt: request.send_attempt,
            next_link: request.next_link,
            token_hash: token.hash,
            token: token.text,
            language: request.language,
        };
        self.commit_email(EmailChange::Ask(ask)).await?;
        Ok(session_id)
    }

    /// A keyed hash: neither does the id tell the address, nor can another session have it.
    fn email_session_id(&self, request: &EmailRequest<'_>) -> String {
        let EmailRequest {
            purpose,
            address,
            client_secret,
            ..
        } = request;
        let (number, address) = (purpose.number(), address.as_str());
        // Neither an address nor a client's secret has a space.
        let named = format!("{number} {address} {client_secret}");
        let hash = self
            .inner
            .keyring
            .blind("accounts.email_session", named.as_bytes());
        URL_SAFE_NO_PAD.encode(hash)
    }

    /// By what an address is found.
    pub(crate) fn email_hash(&self, address: &MailAddress) -> Hash {
        let address = address.as_str().as_bytes();
        self.inner.keyring.blind("accounts.email_address", address)
    }

    pub(crate) async fn commit_email(
        &self,
        change: EmailChange,
    ) -> Result<EmailOutcome, EmailRefusal> {
        let mut intent = Intent::new();
        let ticket = intent.add::<EmailChanges>(change);
        let mut committed = self.commit_emails(intent).await?;
        Ok(committed.take(ticket).unwrap_or(EmailOutcome::Unchanged))
    }

    /// Commits an intent; what another applier refuses is not expected here.
    pub(crate) async fn commit_emails(
        &self,
        intent: Intent,
    ) -> Result<store::Committed, EmailRefusal> {
        let committed = self.inner.log.commit(intent).await;
        committed.map_err(|error| match error.refusal::<EmailChanges>() {
            Ok(refusal) => refusal,
            Err(error) => EmailRefusal::Store(error.into_store()),
        })
    }
}

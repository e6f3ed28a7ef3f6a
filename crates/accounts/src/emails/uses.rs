//! What a proved address is good for, before it is used up: each use is a change of its own intent.

use audit::Origin;
use ruma::{OwnedUserId, UserId};
use store::{Intent, StoreError};

use super::{
    EmailPurpose,
    applier::EmailChanges,
    change::{Claim, EmailChange, EmailRefusal},
    check::proves,
    rows::SessionRow,
};
use crate::{Accounts, By, rows, secret};

/// Longer than any id of a session that is given out.
const MAX_SESSION_ID_BYTES: usize = 255;

/// That somebody who registers reads an address; the account gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmailProof(pub(crate) Claim);

/// That the owner of an account reads the mail that it is known by, and wants a new password.
#[derive(Clone, Debug)]
pub struct ForgottenPassword {
    claim: Claim,
    /// Whose account, interned.
    pub user: i64,
    /// The same, by id.
    pub user_id: OwnedUserId,
}

impl ForgottenPassword {
    /// Its owner, who has no session.
    pub fn by(&self, origin: Origin) -> By {
        By::person(&self.user_id, origin)
    }

    /// Uses the proof up in an intent, which is refused as a whole when it does not hold any more.
    pub fn add_use(&self, intent: &mut Intent) {
        intent.add::<EmailChanges>(EmailChange::UseForPassword {
            user: self.user,
            claim: self.claim.clone(),
        });
    }

    /// Whether an intent was refused because this proof does not hold any more, or else what
    /// failed.
    pub fn is_spent(refusal: EmailRefusal) -> Result<(), StoreError> {
        match refusal {
            EmailRefusal::NotConfirmed => Ok(()),
            other => Err(other.into_store()),
        }
    }
}

impl EmailProof {
    /// As it stands in what the server signs and hands to a client.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.0.secret_hash.to_vec();
        bytes.extend_from_slice(self.0.session_id.as_bytes());
        bytes
    }

    /// Reads what [`to_bytes`](Self::to_bytes) gave.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (secret_hash, session_id) = bytes.split_first_chunk()?;
        Some(Self(Claim {
            session_id: std::str::from_utf8(session_id).ok()?.to_owned(),
            secret_hash: *secret_hash,
        }))
    }

    /// Adds the address to an account that an intent makes.
    pub(crate) fn add_to_new(&self, intent: &mut Intent, user_id: &UserId) {
        intent.add::<EmailChanges>(EmailChange::Add {
            user_id: user_id.to_owned(),
            claim: self.0.clone(),
            purpose: EmailPurpose::Register,
        });
    }
}

impl Accounts {
    /// Whether a session has proved an address to which an account can be registered.
    pub(crate) async fn prove_email(
        &self,
        session_id: &str,
        client_secret: &str,
    ) -> Result<Option<EmailProof>, StoreError> {
        let purpose = EmailPurpose::Register;
        let claimed = self.claim(purpose, session_id, client_secret).await?;
        Ok(claimed.map(|(claim, _)| EmailProof(claim)))
    }

    /// Whose password a session allows to replace.
    pub(crate) async fn prove_forgotten(
        &self,
        session_id: &str,
        client_secret: &str,
    ) -> Result<Option<ForgottenPassword>, StoreError> {
        let purpose = EmailPurpose::ResetPassword;
        let claimed = self.claim(purpose, session_id, client_secret).await?;
        let Some((
            claim,
            SessionRow {
                user: Some(user), ..
            },
        )) = claimed
        else {
            return Ok(None);
        };
        let snapshot = self.database().snapshot().await?;
        let name = self.database().names().user_name(&snapshot, user).await?;
        Ok(Some(ForgottenPassword {
            claim,
            user,
            user_id: rows::user_id(&name)?,
        }))
    }

    async fn claim(
        &self,
        purpose: EmailPurpose,
        session_id: &str,
        client_secret: &str,
    ) -> Result<Option<(Claim, SessionRow)>, StoreError> {
        let Some(claim) = claim_of(session_id, client_secret) else {
            return Ok(None);
        };
        let snapshot = self.database().snapshot().await?;
        let session = self.email_session(&snapshot, &claim.session_id).await?;
        let session = session.filter(|session| proves(session, &claim, purpose, self.now()));
        Ok(session.map(|session| (claim, session)))
    }
}

/// A claim, unless no session has such an id.
pub(crate) fn claim_of(session_id: &str, client_secret: &str) -> Option<Claim> {
    let fits = session_id.len() <= MAX_SESSION_ID_BYTES && !session_id.contains('\0');
    fits.then(|| Claim {
        session_id: session_id.to_owned(),
        secret_hash: secret::hash(client_secret),
    })
}

//! Invitations and registration tokens: what an administrator hands out so that others register.

use std::time::Duration;

use audit::{Act, AuditTrail};
use model::{ids, mail_address::MailAddress, time::Timestamp};
use store::{CommitError, Intent, StoreError};

use crate::{
    Accounts, By,
    applier::AccountChanges,
    change::{Change, MakeRegistrationToken, Outcome, Refusal},
    emails::{EmailChanges, EmailRefusal},
    rows::RegistrationToken,
    secret,
    work::registration_token_of,
};

/// The characters of a registration token, which people may have to type: 100 bits.
const TOKEN_CHARACTERS: usize = 20;

/// Without the characters that are easily taken for another.
const TOKEN_ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz234567890";

/// What people may register with.
#[derive(Clone, Debug, Default)]
pub struct TokenTerms {
    /// Whether it works where registration is closed; it then works once.
    pub invitation: bool,
    /// The name that who registers with it gets.
    pub localpart: Option<String>,
    /// How often it can be used, at most [`TokenTerms::MOST_USES`]; `None` is without end.
    pub uses_allowed: Option<u32>,
    /// How long it is good, at most [`TokenTerms::LONGEST_LIFETIME`]; `None` is without end.
    pub lifetime: Option<Duration>,
    /// Who is sent the token by mail.
    pub send_to: Option<MailAddress>,
}

impl TokenTerms {
    /// The most often that a token can be used, if there is an end to it.
    pub const MOST_USES: u32 = 1_000_000;

    /// The longest that a token is good, if there is an end to it: ten years.
    pub const LONGEST_LIFETIME: Duration = Duration::from_secs(3_650 * 24 * 3_600);

    fn check(&self) -> Result<(), TokenError> {
        if self
            .uses_allowed
            .is_some_and(|uses| uses == 0 || uses > Self::MOST_USES)
        {
            return Err(TokenError::Uses);
        }
        if self
            .lifetime
            .is_some_and(|lifetime| lifetime.is_zero() || lifetime > Self::LONGEST_LIFETIME)
        {
            return Err(TokenError::Lifetime);
        }
        Ok(())
    }
}

/// A token that was made; its text is shown once.
pub struct MadeToken {
    /// Its id, by which it is listed and taken back.
    pub id: i64,
    /// The token.
    pub token: String,
}

/// A registration token as administrators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSummary {
    /// Its id.
    pub id: i64,
    /// Whether it is an invitation.
    pub invitation: bool,
    /// The name that who registers with it gets.
    pub localpart: Option<String>,
    /// How often it can be used.
    pub uses_allowed: Option<i64>,
    /// How often it was used.
    pub uses: i64,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Why no token was made or taken back.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The fixed name cannot be one.
    #[error(transparent)]
    Name(ids::IdRefusal),
    /// The fixed name is taken.
    #[error("this user name is taken")]
    Taken,
    /// It would be used too often, or never.
    #[error("a token can be used once to {} times", TokenTerms::MOST_USES)]
    Uses,
    /// It would be good for too long, or for no time.
    #[error("a token is good for a moment to ten years")]
    Lifetime,
    /// There are too many.
    #[error("{0} tokens can be used already: take some of them back first")]
    TooMany(i64),
    /// It was to be sent by mail, and this server sends none.
    #[error("this server sends no mail: mail.host is not set")]
    NoMail,
    /// The address was sent as many mails as it may be sent.
    #[error("this address was sent many mails already; try again later")]
    TooManyMails,
    /// There is no such token.
    #[error("there is no such token")]
    NoSuchToken,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Refusal> for TokenError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::TokenNotValid => Self::NoSuchToken,
            Refusal::TooMany(limit) => Self::TooMany(limit),
            other => Self::Store(other.into_store()),
        }
    }
}

impl From<CommitError> for TokenError {
    fn from(error: CommitError) -> Self {
        let error = match error.refusal::<EmailChanges>() {
            Ok(EmailRefusal::TooManyMails(_)) => return Self::TooManyMails,
            Ok(refusal) => return Self::Store(refusal.into_store()),
            Err(error) => error,
        };
        match error.refusal::<AccountChanges>() {
            Ok(refusal) => refusal.into(),
            Err(error) => Self::Store(error.into_store()),
        }
    }
}

const LIST: &str = "SELECT hash, id, invitation, localpart, uses_allowed, uses, expires_at, \
     created_at FROM registration_tokens WHERE id > $1 ORDER BY id LIMIT $2";
const READ: &str = "SELECT hash, id, invitation, localpart, uses_allowed, uses, expires_at, \
     created_at FROM registration_tokens WHERE hash = $1";

impl Accounts {
    /// The most registration tokens and invitations that are kept.
    pub const MOST_REGISTRATION_TOKENS: i64 = 10_000;

    /// Makes a token with which people register, and has it sent to who is to get it.
    ///
    /// At most [`Accounts::MOST_REGISTRATION_TOKENS`] are kept. When so many are there, those
    /// that were used up or have expired make room.
    pub async fn make_registration_token(
        &self,
        terms: TokenTerms,
        by: By,
    ) -> Result<MadeToken, TokenError> {
        terms.check()?;
        if terms.send_to.is_some() && !self.sends_mail() {
            return Err(TokenError::NoMail);
        }
        if let Some(localpart) = &terms.localpart {
            let user_id = ids::new_user_id(localpart, self.server_name());
            let user_id = user_id.map_err(TokenError::Name)?;
            if self.find(&user_id).await?.is_some() {
                return Err(TokenError::Taken);
            }
        }
        let token = self.typeable_token();
        // A fixed name can be given once, and an invitation is for one person.
        let once = terms.invitation || terms.localpart.is_some();
        let uses_allowed = if once { Some(1) } else { terms.uses_allowed };
        let change = MakeRegistrationToken {
            hash: secret::hash(&token),
            invitation: terms.invitation,
            localpart: terms.localpart.clone(),
            uses_allowed: uses_allowed.map(i64::from),
            expires_at: terms.lifetime.map(|lifetime| self.now().plus(lifetime)),
            at: self.now(),
        };
        let act = if terms.invitation {
            Act::InvitationMade
        } else {
            Act::RegistrationTokenMade
        };
        let mut record = by.record(act);
        if let Some(localpart) = terms.localpart {
            record = record.with("localpart", localpart);
        }
        let mut intent = Intent::new();
        let ends_at = change.expires_at;
        let ticket = intent.add::<AccountChanges>(Change::MakeRegistrationToken(change));
        intent.add::<AuditTrail>(record);
        if let Some(address) = &terms.send_to {
            self.add_invitation_mail(&mut intent, address, (&token, ends_at));
        }
        let mut committed = self.inner.log.commit(intent).await?;
        match committed.take(ticket) {
            Some(Outcome::TokenMade(id)) => Ok(MadeToken { id, token }),
            _ => Err(StoreError::Refused("a token had no outcome".to_owned()).into()),
        }
    }

    /// Takes a token back; nobody can register with it any more.
    pub async fn revoke_registration_token(&self, id: i64, by: By) -> Result<(), TokenError> {
        let record = by
            .record(Act::RegistrationTokenRevoked)
            .with("token", id.to_string());
        let change = Change::RevokeRegistrationToken { id };
        self.commit_one(change, Some(record)).await?;
        Ok(())
    }

    /// Lists tokens in the order in which they were made, after one of them.
    pub async fn registration_tokens(
        &self,
        after: i64,
        limit: u16,
    ) -> Result<Vec<TokenSummary>, StoreError> {
        let params = [after.into(), i64::from(limit).into()];
        let rows = self.database().query(LIST, &params).await?;
        let summaries = rows.iter().map(|row| {
            let (_, token) = registration_token_of(row)?;
            Ok(TokenSummary {
                id: token.id,
                invitation: token.invitation,
                localpart: token.localpart,
                uses_allowed: token.uses_allowed,
                uses: token.uses,
                expires_at: token.expires_at,
                created_at: token.created_at,
            })
        });
        summaries.collect()
    }

    /// Whether somebody could register with this token now.
    pub async fn is_registration_token_valid(&self, token: &str) -> Result<bool, StoreError> {
        let Some(token) = self.registration_token(token).await? else {
            return Ok(false);
        };
        let closed = self.registration_mode() == crate::RegistrationMode::Closed;
        Ok(token.is_usable(self.now()) && (token.invitation || !closed))
    }

    async fn registration_token(
        &self,
        token: &str,
    ) -> Result<Option<RegistrationToken>, StoreError> {
        let Some(hash) = secret::presented(token) else {
            return Ok(None);
        };
        let params = [hash.as_slice().into()];
        let row = self.database().query_opt(READ, &params).await?;
        row.map(|row| Ok(registration_token_of(&row)?.1))
            .transpose()
    }

    fn typeable_token(&self) -> String {
        let mut bytes = [0u8; TOKEN_CHARACTERS];
        self.inner.entropy.fill(&mut bytes);
        let characters = bytes.map(|byte| char::from(TOKEN_ALPHABET[usize::from(byte & 31)]));
        characters.iter().collect()
    }
}

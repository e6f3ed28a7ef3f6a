//! Tokens with which a person proves to another service who they are, and nothing else.

use std::time::Duration;

use ruma::OwnedUserId;
use store::StoreError;

use crate::{
    Accounts,
    change::{Change, Refusal},
    secret::{self, Secret},
};

/// How long such a token is good.
pub const OPENID_TOKEN_LIFETIME: Duration = Duration::from_secs(60 * 60);

const READ: &str = "SELECT user_id FROM openid_tokens WHERE hash = $1 AND expires_at > $2";

/// Why no token was made.
#[derive(Debug, thiserror::Error)]
pub enum OpenidError {
    /// There is no such account any more.
    #[error("there is no such account")]
    NoSuchUser,
    /// The account is locked.
    #[error("this account is locked")]
    Locked,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Refusal> for OpenidError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoSuchUser => Self::NoSuchUser,
            Refusal::Locked => Self::Locked,
            other => Self::Store(other.into_store()),
        }
    }
}

impl Accounts {
    /// Makes a token that tells who has it that they speak with the user; it is shown once.
    pub async fn make_openid_token(&self, user: i64) -> Result<String, OpenidError> {
        let secret = Secret::new(&*self.inner.entropy, secret::OPENID);
        let change = Change::MakeOpenidToken {
            user,
            hash: secret.hash,
            expires_at: self.now().plus(OPENID_TOKEN_LIFETIME),
        };
        self.commit_one(change, None).await?;
        Ok(secret.into_text())
    }

    /// Whose token it is; nobody's when it has expired, or when they may not act any more.
    pub async fn openid_owner(&self, token: &str) -> Result<Option<OwnedUserId>, StoreError> {
        self.inner.log.barrier().await?;
        let Some(hash) = secret::presented(token) else {
            return Ok(None);
        };
        let params = [hash.as_slice().into(), self.now().as_millis().into()];
        let Some(row) = self.database().query_opt(READ, &params).await? else {
            return Ok(None);
        };
        let changes = &self.inner.changes;
        let state = changes.user_state(self.database(), row.int(0)?).await?;
        let state = state.filter(|state| !state.deactivated && !state.locked);
        Ok(state.map(|state| state.user_id.clone()))
    }
}

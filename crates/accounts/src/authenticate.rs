//! Whom an access token belongs to.

use std::{sync::Arc, time::Duration};

use model::time::Timestamp;
use ruma::{DeviceId, OwnedDeviceId, OwnedUserId};
use store::StoreError;

use crate::{
    AccountKind, Accounts,
    change::{Change, Refusal},
    rows::{self, Hash, TokenRow},
    secret,
};

/// A person's session on one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The user's id.
    pub user_id: OwnedUserId,
    /// The same, interned.
    pub user: i64,
    /// The device.
    pub device_id: OwnedDeviceId,
    /// Stays the same while tokens are refreshed; signing in again on the device changes it.
    pub session: i64,
    /// Whether the account is an administrator's.
    pub admin: bool,
    /// Whether the person can do nothing but sign out.
    pub locked: bool,
    /// Whether the person can do little but read.
    pub suspended: bool,
    /// Whether it is a guest's.
    pub guest: bool,
}

/// What has become of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It stands.
    Good,
    /// It stands, and its owner is locked.
    Locked,
    /// It has ended.
    Ended,
}

/// Why an access token is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// No session has this token.
    #[error("the access token is not known")]
    Unknown,
    /// No session has this token, and a restore may have lost the one that had.
    #[error("the session may have been lost in a restore")]
    Lost,
    /// The token has expired; its session can be refreshed.
    #[error("the access token has expired")]
    Expired,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How long after a restore clients with unknown tokens are asked to sign in again as the same
/// device: time enough for those who are away to come back.
const LOST_SESSIONS: Duration = Duration::from_secs(30 * 86_400);

const READ_EPOCH_BEGAN: &str = "SELECT value FROM facts WHERE name = 'epoch.began_at'";

const READ_TOKEN: &str = "SELECT user_id, device_id, session, generation, expires_at \
     FROM access_tokens WHERE hash = $1";

impl Accounts {
    /// Tells whom an access token belongs to.
    ///
    /// It passes the log's barrier first: a session that any node ended is unknown here.
    pub async fn authenticate(&self, token: &str) -> Result<Session, AuthError> {
        match self.session_of(token).await {
            Err(AuthError::Unknown) if self.may_have_lost_sessions().await? => Err(AuthError::Lost),
            found => found,
        }
    }

    /// Whether a restore may have taken sessions back that clients still hold. It cannot be told
    /// from one that ended long ago, and a client that is told so deletes its keys.
    pub(crate) async fn may_have_lost_sessions(&self) -> Result<bool, StoreError> {
        let row = self.database().query_opt(READ_EPOCH_BEGAN, &[]).await?;
        let began = row.map(|row| row.text(0).map(str::to_owned)).transpose()?;
        let began = began.and_then(|began| began.parse().ok());
        let began = began.map(Timestamp::from_millis);
        Ok(began.is_some_and(|began| self.now().since(began) < LOST_SESSIONS))
    }

    async fn session_of(&self, token: &str) -> Result<Session, AuthError> {
        self.inner.log.barrier().await?;
        let hash = secret::presented(token).ok_or(AuthError::Unknown)?;
        let token = self.token(hash).await?.ok_or(AuthError::Unknown)?;
        let changes = &self.inner.changes;
        let state = changes.user_state(self.database(), token.user).await?;
        let state = state.filter(|state| !state.deactivated);
        let state = state.ok_or(AuthError::Unknown)?;
        let session = state
            .sessions
            .get(&token.device_id)
            .filter(|session| session.session == token.session)
            .filter(|session| session.allows(token.generation))
            .ok_or(AuthError::Unknown)?;
        if token
            .expires_at
            .is_some_and(|expires_at| expires_at <= self.now())
        {
            return Err(AuthError::Expired);
        }
        if token.generation == session.next_generation {
            self.confirm(&token).await?;
        }
        Ok(Session {
            user_id: state.user_id.clone(),
            user: token.user,
            device_id: rows::device_id(&token.device_id),
            session: token.session,
            admin: state.admin,
            locked: state.locked,
            suspended: state.suspended,
            guest: state.kind == AccountKind::Guest,
        })
    }

    /// What has become of a session that was authenticated earlier.
    pub async fn standing(
        &self,
        user: i64,
        device_id: &DeviceId,
        session: i64,
    ) -> Result<Standing, StoreError> {
        let state = self.inner.changes.user_state(self.database(), user).await?;
        let Some(state) = state.filter(|state| !state.deactivated) else {
            return Ok(Standing::Ended);
        };
        let known = state.sessions.get(device_id.as_str());
        Ok(match known.is_some_and(|known| known.session == session) {
            true if state.locked => Standing::Locked,
            true => Standing::Good,
            false => Standing::Ended,
        })
    }

    async fn token(&self, hash: Hash) -> Result<Option<Arc<TokenRow>>, StoreError> {
        let tokens = &self.inner.changes.tokens;
        if let Some(token) = tokens.get(&hash) {
            return Ok(Some(token));
        }
        let params = [hash.as_slice().into()];
        let Some(row) = self.database().query_opt(READ_TOKEN, &params).await? else {
            return Ok(None);
        };
        let token = Arc::new(TokenRow {
            user: row.int(0)?,
            device_id: row.text(1)?.to_owned(),
            session: row.int(2)?,
            generation: row.int(3)?,
            expires_at: row.opt_int(4)?.map(Timestamp::from_millis),
        });
        tokens.insert(hash, Arc::clone(&token));
        Ok(Some(token))
    }

    /// The first use of refreshed tokens ends those before them.
    async fn confirm(&self, token: &TokenRow) -> Result<(), AuthError> {
        let change = Change::Confirm {
            user: token.user,
            device_id: token.device_id.clone(),
            session: token.session,
            generation: token.generation,
        };
        match self.commit_one(change, None).await {
            Ok(_) => Ok(()),
            Err(Refusal::TokenNotValid) => Err(AuthError::Unknown),
            Err(refusal) => Err(AuthError::Store(refusal.into_store())),
        }
    }
}

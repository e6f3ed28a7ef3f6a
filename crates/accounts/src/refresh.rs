//! Refreshing access tokens.

use std::time::Duration;

use audit::{Act, Actor, Target};
use store::StoreError;

use crate::{
    Accounts, By,
    change::{Change, NewToken, Refresh, Refusal},
    secret::{self, Secret},
};

/// A new pair of tokens; they are shown once.
pub struct Refreshed {
    /// The access token.
    pub access_token: String,
    /// How long it is good.
    pub expires_in: Duration,
    /// The refresh token.
    pub refresh_token: String,
}

/// Why no tokens were handed out.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// No session has this refresh token, or its session ended because it was used twice.
    #[error("the refresh token is not known")]
    Unknown,
    /// No session has this refresh token, and a restore may have lost the one that had.
    #[error("the session may have been lost in a restore")]
    Lost,
    /// The account is locked; the token stays good.
    #[error("this account is locked")]
    Locked,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Accounts {
    /// Hands out the next pair of tokens of a session.
    ///
    /// The pair before stays good until one of the new tokens is used. A refresh token that
    /// comes back after that was stolen, or its successors were: the session ends.
    pub async fn refresh(&self, token: &str, by: By) -> Result<Refreshed, RefreshError> {
        let presented = secret::presented(token).ok_or(RefreshError::Unknown)?;
        let entropy = &*self.inner.entropy;
        let access = Secret::new(entropy, secret::ACCESS);
        let refresh = Secret::new(entropy, secret::REFRESH);
        let expires_in = self.inner.settings.access_token_lifetime;
        let change = Refresh {
            presented,
            access: NewToken {
                hash: access.hash,
                expires_at: Some(self.now().plus(expires_in)),
            },
            refresh: refresh.hash,
        };
        match self.commit_one(Change::Refresh(change), None).await {
            Ok(_) => Ok(Refreshed {
                access_token: access.into_text(),
                expires_in,
                refresh_token: refresh.into_text(),
            }),
            Err(Refusal::RefreshTokenReused {
                user,
                device_id,
                session,
            }) => {
                self.end_stolen_session(user, device_id, session, by)
                    .await?;
                Err(RefreshError::Unknown)
            }
            Err(Refusal::Locked) => Err(RefreshError::Locked),
            Err(Refusal::TokenNotValid | Refusal::NoSuchUser) => {
                Err(match self.may_have_lost_sessions().await? {
                    true => RefreshError::Lost,
                    false => RefreshError::Unknown,
                })
            }
            Err(refusal) => Err(RefreshError::Store(refusal.into_store())),
        }
    }

    async fn end_stolen_session(
        &self,
        user: i64,
        device_id: String,
        session: i64,
        by: By,
    ) -> Result<(), StoreError> {
        let snapshot = self.database().snapshot().await?;
        let name = self.database().names().user_name(&snapshot, user).await?;
        drop(snapshot);
        let by = By {
            actor: Actor::Anonymous,
            ..by
        };
        let target = Target::device(&*name, device_id.as_str());
        let record = by.record(Act::RefreshTokenReused).on(target);
        let change = Change::EndSession {
            user,
            device_id,
            session,
        };
        let ended = self.commit_one(change, Some(record)).await;
        ended.map(drop).map_err(Refusal::into_store)
    }
}

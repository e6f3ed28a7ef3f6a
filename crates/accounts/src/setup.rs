//! The first administrator: made with a link that the first start prints.

use std::time::Duration;

use store::StoreError;
use zeroize::Zeroizing;

use crate::{
    Accounts, By, Grant, NewAccount, RegisterError, Registered,
    change::{Change, Refusal},
    secret::{self, Secret},
};

/// How long a link is good; each start makes another one as long as nobody administers.
const LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What a setup link is worth now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetupLink {
    /// The first administrator can be made with it.
    Usable,
    /// An administrator exists: it has served, or is no longer needed.
    Done,
    /// It never was one, or it has expired.
    Unknown,
}

const READ: &str = "SELECT expires_at FROM setup_links WHERE hash = $1";
const ADMIN_EXISTS: &str =
    "SELECT user_id FROM accounts WHERE admin = 1 AND deactivated_at IS NULL LIMIT 1";

impl Accounts {
    /// Makes the token of a setup link; `None` when an administrator exists.
    pub async fn make_setup_link(&self) -> Result<Option<String>, StoreError> {
        let secret = Secret::new(&*self.inner.entropy, secret::SETUP);
        let change = Change::MakeSetupLink {
            hash: secret.hash,
            expires_at: self.now().plus(LIFETIME),
        };
        match self.commit_one(change, None).await {
            Ok(_) => Ok(Some(secret.into_text())),
            Err(Refusal::AdministratorExists) => Ok(None),
            Err(refusal) => Err(refusal.into_store()),
        }
    }

    /// What a setup link is worth now.
    pub async fn setup_link(&self, token: &str) -> Result<SetupLink, StoreError> {
        let snapshot = self.database().snapshot().await?;
        if snapshot.query_opt(ADMIN_EXISTS, &[]).await?.is_some() {
            return Ok(SetupLink::Done);
        }
        let Some(hash) = secret::presented(token) else {
            return Ok(SetupLink::Unknown);
        };
        let params = [hash.as_slice().into()];
        let row = snapshot.query_opt(READ, &params).await?;
        let now = self.now().as_millis();
        match row {
            Some(row) if now < row.int(0)? => Ok(SetupLink::Usable),
            _ => Ok(SetupLink::Unknown),
        }
    }

    /// Makes the first administrator, and uses the link up.
    pub async fn set_up(
        &self,
        token: &str,
        localpart: String,
        password: Zeroizing<String>,
        by: By,
    ) -> Result<Registered, RegisterError> {
        let new = NewAccount {
            localpart: Some(localpart),
            password: Some(password),
            admin: true,
            ..NewAccount::default()
        };
        let token = Zeroizing::new(token.to_owned());
        self.register(new, Grant::SetupLink(token), by).await
    }
}

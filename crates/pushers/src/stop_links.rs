//! What the mails of a pusher carry: their ids, and the secret by which their reader ends them.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ruma::api::client::push::PusherKind;
use store::{Pos, StoreError};
use subtle::ConstantTimeEq;

use crate::Pushers;

/// How such a secret begins.
const PREFIX: &str = "cnv_n_";

/// The purpose of the keyed hash.
const PURPOSE: &str = "pushers.stop";

/// The purpose of the ids of mails.
const MAIL: &str = "pushers.mail";

/// The longest secret that is looked at.
const MAX_TOKEN_BYTES: usize = 128;

/// Where a link leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopLink {
    /// To a pusher that sends mails.
    Usable,
    /// To one that is gone: it sends none.
    Stopped,
    /// Nowhere: nobody was given this link.
    Unknown,
}

impl Pushers {
    /// The secret by which the mails of a pusher are ended. It is the same each time, and good for
    /// as long as the pusher stands.
    pub fn stop_token(&self, id: i64) -> String {
        let hash = self.keyring.blind(PURPOSE, &id.to_be_bytes());
        format!("{PREFIX}{id}_{}", BASE64_URL_SAFE_NO_PAD.encode(hash))
    }

    /// The id of the mail of a pusher that tells of a change first, which nobody else can make.
    pub fn mail_id(&self, id: i64, pos: Pos) -> [u8; 32] {
        let named = format!("{id} {}", pos.get());
        self.keyring.blind(MAIL, named.as_bytes())
    }

    /// Where the link with a secret leads. Looking changes nothing.
    pub async fn stop_link(&self, token: &str) -> Result<StopLink, StoreError> {
        Ok(self.behind(token).await?.0)
    }

    /// Ends the mails of the pusher that a link is about; tells where it led.
    pub async fn stop_by_link(&self, token: &str) -> Result<StopLink, StoreError> {
        let (link, id) = self.behind(token).await?;
        if link == StopLink::Usable {
            self.reject(id).await?;
        }
        Ok(link)
    }

    async fn behind(&self, token: &str) -> Result<(StopLink, i64), StoreError> {
        let Some(id) = self.vouched_for(token) else {
            return Ok((StopLink::Unknown, 0));
        };
        let snapshot = self.log.database().snapshot().await?;
        let pusher = self.one(&snapshot, id).await?;
        let sends_mail = |kind: &PusherKind| matches!(kind, PusherKind::Email(_));
        let stands = pusher.is_some_and(|pusher| sends_mail(&pusher.pusher.kind));
        let link = if stands {
            StopLink::Usable
        } else {
            StopLink::Stopped
        };
        Ok((link, id))
    }

    /// The number of the pusher that a secret was made for.
    fn vouched_for(&self, token: &str) -> Option<i64> {
        if token.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let (id, _) = token.strip_prefix(PREFIX)?.split_once('_')?;
        let id = id.parse().ok()?;
        let expected = self.stop_token(id);
        let is_it = bool::from(expected.as_bytes().ct_eq(token.as_bytes()));
        is_it.then_some(id)
    }
}

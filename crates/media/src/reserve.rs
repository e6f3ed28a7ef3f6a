//! Ids that are given out before their content, so that a message can be sent while its file is
//! still on its way.

use std::{sync::Arc, time::Duration};

use model::time::Timestamp;
use ruma::OwnedUserId;
use store::{CommitError, Intent, StoreError};

use crate::{
    Media, MediaId,
    applier::MediaRows,
    change::{Change, Outcome, Refusal, Reservation},
};

/// How many unused ids a user may have.
pub const MAX_PENDING: usize = 50;

/// How long an id may be used: what the specification recommends.
pub(crate) const UNUSED_FOR: Duration = Duration::from_secs(86_400);

/// An id without content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserved {
    /// The id.
    pub id: MediaId,
    /// Until when its content is taken.
    pub expires_at: Timestamp,
}

/// Why no id was given out.
#[derive(Debug, thiserror::Error)]
pub enum ReserveError {
    /// The user has too many that are not used yet.
    #[error("{MAX_PENDING} ids of this user wait for their content")]
    TooManyPending {
        /// How long it takes until one of them expires.
        retry_after: Duration,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Media {
    /// Gives out an id to which its owner alone may upload, once, within a day.
    pub async fn reserve(&self, owner: OwnedUserId) -> Result<Reserved, ReserveError> {
        let id = MediaId::generate(&*self.entropy);
        let wanted = Reservation {
            id: id.clone(),
            owner,
        };
        let mut intent = Intent::new();
        let ticket = intent.add::<MediaRows>(Arc::new(Change::Reserve(wanted)));
        let mut committed = self.log.commit(intent).await.map_err(|error| {
            let now = self.log.clock().now();
            refused(error, now)
        })?;
        match committed.take(ticket) {
            Some(Outcome::Reserved(expires_at)) => Ok(Reserved { id, expires_at }),
            Some(Outcome::Done | Outcome::MadeBefore | Outcome::Forgotten(_)) | None => {
                let sentence = "an id was not given out".to_owned();
                Err(StoreError::Damaged(sentence).into())
            }
        }
    }
}

fn refused(error: CommitError, now: Timestamp) -> ReserveError {
    match error.refusal::<MediaRows>() {
        Ok(Refusal::TooManyPending(until)) => ReserveError::TooManyPending {
            retry_after: until.since(now),
        },
        Ok(_) => StoreError::Refused("an id was refused".to_owned()).into(),
        Err(error) => error.into_store().into(),
    }
}

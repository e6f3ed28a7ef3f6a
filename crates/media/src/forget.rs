//! Forgetting files that are kept for a time only.

use std::sync::Arc;

use model::time::Timestamp;
use ruma::UserId;
use store::{CommitError, Intent, StoreError};

use crate::{
    Media,
    applier::MediaRows,
    change::{Change, Expired, Outcome},
    rows,
};

impl Media {
    /// Forgets an owner's files that were stored before a moment, some at a time; says how many.
    ///
    /// They cannot be read from then on, and take nothing of the owner's quota. Their content goes
    /// with the next sweep. What this is broken off in is done by the next one.
    pub async fn forget_older(
        &self,
        owner: &UserId,
        stored_before: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut forgotten = 0;
        while self.has_older(owner, stored_before).await? {
            let expired = Expired {
                owner: owner.to_owned(),
                stored_before,
            };
            let mut intent = Intent::new();
            let ticket = intent.add::<MediaRows>(Arc::new(Change::Forget(expired)));
            let committed = self.log.commit(intent).await;
            let mut committed = committed.map_err(CommitError::into_store)?;
            match committed.take(ticket) {
                Some(Outcome::Forgotten(count)) => forgotten += count,
                _ => break,
            }
        }
        Ok(forgotten)
    }

    async fn has_older(&self, owner: &UserId, moment: Timestamp) -> Result<bool, StoreError> {
        let snapshot = self.log.database().snapshot().await?;
        let names = self.log.database().names();
        let Some(owner) = names.user(&snapshot, owner.as_str()).await? else {
            return Ok(false);
        };
        let older = rows::stored_before(&snapshot, owner, moment.as_millis()).await?;
        Ok(!older.is_empty())
    }
}

//! Filters that clients keep here to name them in a sync.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::value::RawValue;
use store::{Reader, StoreError};

use crate::{
    Accounts,
    change::{Change, Refusal},
    rows::place,
};

/// The largest filter.
pub const MAX_FILTER_BYTES: usize = 64 * 1024;

const FILTER_ID_BYTES: usize = 12;

const MAX_ID_BYTES: usize = 64;

/// Why a filter was not kept.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// The filter is too large.
    #[error("a filter has at most {MAX_FILTER_BYTES} bytes")]
    TooLarge,
    /// The user keeps too many filters.
    #[error("no more than {0} filters can be kept")]
    TooMany(i64),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Refusal> for FilterError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::TooMany(limit) => Self::TooMany(limit),
            other => Self::Store(other.into_store()),
        }
    }
}

const READ: &str = "SELECT content FROM filters WHERE user_id = $1 AND filter_id = $2";

impl Accounts {
    /// Keeps a filter and gives its id; the same filter has the same id.
    pub async fn put_filter(&self, user: i64, filter: &RawValue) -> Result<String, FilterError> {
        let content = filter.get().as_bytes();
        if content.len() > MAX_FILTER_BYTES {
            return Err(FilterError::TooLarge);
        }
        let id = self.inner.keyring.blind("accounts.filter", content);
        let filter_id = URL_SAFE_NO_PAD.encode(&id[..FILTER_ID_BYTES]);
        if self.has_filter(user, &filter_id).await? {
            return Ok(filter_id);
        }
        let change = Change::PutFilter {
            user,
            filter_id: filter_id.clone(),
            content: content.to_vec(),
        };
        self.commit_one(change, None).await?;
        Ok(filter_id)
    }

    async fn has_filter(&self, user: i64, filter_id: &str) -> Result<bool, StoreError> {
        let params = [user.into(), filter_id.into()];
        Ok(self.database().query_opt(READ, &params).await?.is_some())
    }

    /// A filter of the user.
    pub async fn filter(
        &self,
        user: i64,
        filter_id: &str,
    ) -> Result<Option<Box<RawValue>>, StoreError> {
        let snapshot = self.database().snapshot().await?;
        self.filter_at(&snapshot, user, filter_id).await
    }

    /// A filter of the user, as a reader sees it.
    pub async fn filter_at(
        &self,
        reader: &Reader,
        user: i64,
        filter_id: &str,
    ) -> Result<Option<Box<RawValue>>, StoreError> {
        if model::ids::bounded_clear(filter_id, MAX_ID_BYTES).is_err() {
            return Ok(None);
        }
        let params = [user.into(), filter_id.into()];
        let Some(row) = reader.query_opt(READ, &params).await? else {
            return Ok(None);
        };
        let id = place::field_row(user, filter_id);
        let keyring = &self.inner.keyring;
        let content = keyring
            .open(reader, place::filter(&id), row.bytes(0)?)
            .await?;
        let content = serde_json::from_slice(&content)
            .map_err(|error| StoreError::Damaged(format!("a filter: {error}")))?;
        Ok(Some(content))
    }
}

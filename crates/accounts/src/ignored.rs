//! Whom a person ignores: the account data `m.ignored_user_list`.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use ruma::{OwnedUserId, UserId};
use serde::Deserialize;
use serde_json::value::RawValue;
use store::StoreError;

use crate::Accounts;

/// The type of the entry.
pub const IGNORED_USERS: &str = "m.ignored_user_list";

impl Accounts {
    /// The people whom a user ignores, at the head of the log.
    pub async fn ignored_users(&self, user: i64) -> Result<Arc<BTreeSet<OwnedUserId>>, StoreError> {
        let cache = &self.inner.changes.ignored;
        if let Some(ignored) = cache.get(&user) {
            return Ok(ignored);
        }
        let snapshot = self.database().snapshot().await?;
        let stored = self.account_data_at(&snapshot, user, 0, IGNORED_USERS);
        let ignored = stored.await?.map(|content| read(content.get()));
        let ignored = Arc::new(ignored.unwrap_or_default());
        cache.fill(user, Arc::clone(&ignored), snapshot.head());
        Ok(ignored)
    }
}

/// Clients write the entry as they like: what is no user id ignores nobody.
fn read(content: &str) -> BTreeSet<OwnedUserId> {
    #[derive(Deserialize)]
    struct Content {
        ignored_users: BTreeMap<String, Box<RawValue>>,
    }
    let content = serde_json::from_str::<Content>(content);
    let names = content.map(|content| content.ignored_users).ok();
    let names = names.into_iter().flatten();
    names
        .filter_map(|(name, _)| UserId::parse(name).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn whoever_is_named_clearly_is_ignored() {
        let entry = r#"{"ignored_users":{"@a:x":{},"nobody":{},"@b:x":{"until":1}}}"#;
        let ignored: Vec<String> = read(entry).iter().map(ToString::to_string).collect();
        assert_eq!(ignored, ["@a:x", "@b:x"]);
        for entry in ["{}", r#"{"ignored_users":["@a:x"]}"#, "7"] {
            assert!(read(entry).is_empty(), "{entry}");
        }
    }
}

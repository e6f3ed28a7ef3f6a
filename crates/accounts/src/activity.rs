//! When and from where a device was last seen: a local table, written now and then.

use std::{net::IpAddr, time::Duration};

use model::time::Timestamp;
use moka::sync::Cache;
use store::{LocalWrite, StoreError};

use crate::{Accounts, Session};

/// A device's row is written at most this often, unless its address changes.
const WRITE_EVERY: Duration = Duration::from_secs(300);

const REMEMBERED_DEVICES: u64 = 100_000;

const WRITE: &str = "INSERT INTO device_activity (user_id, device_id, seen_at, address) \
     VALUES ($1, $2, $3, $4) ON CONFLICT (user_id, device_id) \
     DO UPDATE SET seen_at = excluded.seen_at, address = excluded.address";

/// What was written last.
pub(crate) struct Activity(Cache<(i64, String), (Timestamp, Option<IpAddr>)>);

impl Activity {
    pub(crate) fn new() -> Self {
        Self(Cache::new(REMEMBERED_DEVICES))
    }
}

impl Accounts {
    /// Notes that a session made a request, if it has not been noted lately.
    pub async fn note_activity(
        &self,
        session: &Session,
        address: Option<IpAddr>,
    ) -> Result<(), StoreError> {
        let key = (session.user, session.device_id.to_string());
        let now = self.now();
        let noted = self.inner.activity.0.get(&key);
        let fresh = |(at, from): (Timestamp, Option<IpAddr>)| {
            from == address && now.since(at) < WRITE_EVERY
        };
        if noted.is_some_and(fresh) {
            return Ok(());
        }
        // Noted first: of many requests at once one writes.
        self.inner.activity.0.insert(key, (now, address));
        let params = vec![
            session.user.into(),
            session.device_id.as_str().into(),
            now.as_millis().into(),
            address.map(|address| address.to_string()).into(),
        ];
        let write = LocalWrite::new().and(WRITE, params);
        self.inner.log.write_local(write).await.map(drop)
    }
}

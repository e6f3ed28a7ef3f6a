//! [`Pushers`]: what others ask of this crate.

use ruma::{
    DeviceId, OwnedDeviceId, UserId,
    api::client::push::{Pusher, PusherIds},
};
use seal::Keyring;
use store::{Intent, Log, Reader, Row, StoreError};

use crate::{
    Change, NewPusher, PusherChanges, PusherRefusal,
    applier::{Hash, place},
};

/// What a client may say of a pusher.
const MAX_APP_ID_BYTES: usize = 64;
const MAX_PUSHKEY_BYTES: usize = 512;
const MAX_BYTES: usize = 8 * 1024;

const OF_USER: &str = "SELECT id, user_id, device_id, session, sealed FROM pushers \
     WHERE user_id = $1 ORDER BY id";

const ONE: &str = "SELECT id, user_id, device_id, session, sealed FROM pushers WHERE id = $1";

const USERS: &str = "SELECT DISTINCT user_id FROM pushers WHERE user_id > $1 \
     ORDER BY user_id LIMIT 10000";

/// Where people want to be told. Cheap to clone.
#[derive(Clone)]
pub struct Pushers {
    pub(crate) log: Log,
    pub(crate) keyring: Keyring,
}

/// A pusher that stands.
#[derive(Clone, Debug)]
pub struct StoredPusher {
    /// Its number.
    pub id: i64,
    /// Whose it is.
    pub user: i64,
    /// The device that made it.
    pub device_id: OwnedDeviceId,
    /// The session that made it: without that it counts for nothing.
    pub session: i64,
    /// What its client said of it.
    pub pusher: Pusher,
}

/// Why a pusher was not made.
#[derive(Debug, thiserror::Error)]
pub enum PusherError {
    /// A part of it is too long.
    #[error("{field}: at most {max} bytes are allowed")]
    TooLong {
        /// Which part.
        field: &'static str,
        /// How long it may be.
        max: usize,
    },
    /// It is not made for another reason.
    #[error(transparent)]
    Refused(#[from] PusherRefusal),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Pushers {
    /// Puts it together over a log with which [`PusherChanges`] was registered.
    pub fn new(log: Log, keyring: Keyring) -> Self {
        Self { log, keyring }
    }

    /// Adds a pusher for a session, or replaces the same one. Other people's pushers with the same
    /// application and push key go, unless they are to stay.
    pub async fn set(
        &self,
        (user, device_id, session): (i64, &DeviceId, i64),
        pusher: &Pusher,
        append: bool,
    ) -> Result<(), PusherError> {
        check(&pusher.ids)?;
        let content = serde_json::to_vec(pusher).expect("strings always serialise");
        let max = MAX_BYTES;
        if content.len() > max {
            let field = "data";
            return Err(PusherError::TooLong { field, max });
        }
        self.commit(Change::Set(NewPusher {
            user,
            hash: self.hash(&pusher.ids),
            device_id: device_id.to_string(),
            session,
            content,
            append,
        }))
        .await
    }

    /// Removes a pusher of a user; that there is none is as good.
    pub async fn remove(&self, user: i64, ids: &PusherIds) -> Result<(), PusherError> {
        check(ids)?;
        let hash = self.hash(ids);
        self.commit(Change::Remove { user, hash }).await
    }

    /// Removes a pusher that its gateway does not know any more.
    pub async fn reject(&self, id: i64) -> Result<(), StoreError> {
        match self.commit(Change::Reject { id }).await {
            Err(PusherError::Store(error)) => Err(error),
            _ => Ok(()),
        }
    }

    /// Adds the end of the pushers of a device to an intent.
    pub fn add_drop_device(&self, intent: &mut Intent, user_id: &UserId, device_id: &DeviceId) {
        intent.add::<PusherChanges>(Change::RemoveDevice {
            user_id: user_id.to_owned(),
            device_id: device_id.to_string(),
        });
    }

    /// Adds the end of all pushers of a user to an intent.
    pub fn add_drop_user(&self, intent: &mut Intent, user_id: &UserId) {
        let user_id = user_id.to_owned();
        intent.add::<PusherChanges>(Change::RemoveUser { user_id });
    }

    /// The pushers of a user, the oldest first; also those of sessions that have ended.
    pub async fn of_user(
        &self,
        reader: &Reader,
        user: i64,
    ) -> Result<Vec<StoredPusher>, StoreError> {
        self.read(reader, OF_USER, user).await
    }

    /// One pusher, by its number.
    pub async fn one(&self, reader: &Reader, id: i64) -> Result<Option<StoredPusher>, StoreError> {
        Ok(self.read(reader, ONE, id).await?.pop())
    }

    /// Some of the users who have pushers, after one of them, in order.
    pub async fn users(&self, reader: &Reader, after: i64) -> Result<Vec<i64>, StoreError> {
        let rows = reader.query(USERS, &[after.into()]).await?;
        rows.iter().map(|row| row.int(0)).collect()
    }

    async fn read(
        &self,
        reader: &Reader,
        sql: &'static str,
        by: i64,
    ) -> Result<Vec<StoredPusher>, StoreError> {
        let rows = reader.query(sql, &[by.into()]).await?;
        let sealed = rows.iter().map(|row| row.bytes(4));
        let sealed = sealed.collect::<Result<Vec<_>, _>>()?;
        let keys = self.keyring.keys_of(reader, sealed).await?;
        let open = |row: &Row| {
            let id = row.int(0)?;
            let content = keys.open(place(&id.to_string()), row.bytes(4)?)?;
            let pusher = serde_json::from_slice(&content);
            Ok(StoredPusher {
                id,
                user: row.int(1)?,
                device_id: row.text(2)?.into(),
                session: row.int(3)?,
                pusher: pusher.map_err(|_| StoreError::Damaged("pushers.sealed".to_owned()))?,
            })
        };
        rows.iter().map(open).collect()
    }

    async fn commit(&self, change: Change) -> Result<(), PusherError> {
        let mut intent = Intent::new();
        intent.add::<PusherChanges>(change);
        match self.log.commit(intent).await {
            Ok(_) => Ok(()),
            Err(error) => Err(match error.refusal::<PusherChanges>() {
                Ok(refusal) => refusal.into(),
                Err(error) => error.into_store().into(),
            }),
        }
    }

    fn hash(&self, ids: &PusherIds) -> Hash {
        // A NUL is in neither: nobody can move the boundary.
        let text = format!("{}\0{}", ids.app_id, ids.pushkey);
        self.keyring.blind("pushers", text.as_bytes())
    }
}

fn check(ids: &PusherIds) -> Result<(), PusherError> {
    let parts = [
        ("app_id", &ids.app_id, MAX_APP_ID_BYTES),
        ("pushkey", &ids.pushkey, MAX_PUSHKEY_BYTES),
    ];
    for (field, text, max) in parts {
        if text.len() > max {
            return Err(PusherError::TooLong { field, max });
        }
    }
    Ok(())
}

//! What one attempt at a batch knows of pushers.

use std::collections::{BTreeMap, BTreeSet};

use ruma::OwnedUserId;
use seal::{KeySet, Keyring, Scope};
use store::{Reader, Row, Staged, StoreError, Tx};

use crate::applier::{Change, Hash};

/// A row of `pushers`.
#[derive(Clone)]
pub(crate) struct PusherRow {
    pub(crate) user: i64,
    pub(crate) hash: Hash,
    pub(crate) device_id: String,
    pub(crate) session: i64,
    pub(crate) content: Content,
}

/// What a client said of a pusher.
#[derive(Clone)]
pub(crate) enum Content {
    /// As it stands in the table; nobody asks what it is.
    Kept,
    /// As it will stand there.
    New(Vec<u8>),
}

/// One attempt at a batch.
pub struct Work {
    pub(crate) keys: KeySet,
    /// The integers of users who are known by name only.
    pub(crate) names: BTreeMap<OwnedUserId, i64>,
    /// By id.
    pub(crate) rows: Staged<i64, PusherRow>,
}

const BY_USER: &str =
    "SELECT id, user_id, hash, device_id, session FROM pushers WHERE user_id = $1";
const BY_HASH: &str = "SELECT id, user_id, hash, device_id, session FROM pushers WHERE hash = $1";
const BY_ID: &str = "SELECT id, user_id, hash, device_id, session FROM pushers WHERE id = $1";

impl Work {
    /// Reads what the changes' checks depend on.
    pub(crate) async fn load(
        keyring: &Keyring,
        tx: &Tx,
        changes: &[&Change],
    ) -> Result<Self, StoreError> {
        let mut users = BTreeSet::new();
        let mut names = BTreeSet::new();
        let mut scopes = BTreeSet::new();
        let mut work = Self {
            keys: keyring.keys_in(tx, []).await?,
            names: BTreeMap::new(),
            rows: Staged::default(),
        };
        for change in changes {
            match change {
                Change::Set(new) => {
                    users.insert(new.user);
                    scopes.insert(new.user);
                    work.read(tx, BY_HASH, new.hash.to_vec().into()).await?;
                }
                Change::Remove { user, .. } => drop(users.insert(*user)),
                Change::RemoveDevice { user_id, .. } | Change::RemoveUser { user_id } => {
                    names.insert(user_id);
                }
                Change::Reject { id } => work.read(tx, BY_ID, (*id).into()).await?,
            }
        }
        let texts: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
        let interned = tx.intern_users(&texts).await?;
        users.extend(&interned);
        work.names = names.into_iter().cloned().zip(interned).collect();
        for user in users {
            work.read(tx, BY_USER, user.into()).await?;
        }
        work.keys = keyring
            .keys_in(tx, scopes.into_iter().map(Scope::User))
            .await?;
        Ok(work)
    }

    async fn read(
        &mut self,
        reader: &Reader,
        sql: &'static str,
        by: store::Value,
    ) -> Result<(), StoreError> {
        for row in reader.query(sql, &[by]).await? {
            self.rows.load(row.int(0)?, pusher_row(&row)?);
        }
        Ok(())
    }

    /// The pushers of a user that a condition names.
    pub(crate) fn of_user(&self, user: i64, which: impl Fn(&PusherRow) -> bool) -> Vec<i64> {
        let of_user = self.rows.iter().filter(|(_, row)| row.user == user);
        of_user
            .filter(|(_, row)| which(row))
            .map(|(id, _)| *id)
            .collect()
    }
}

fn pusher_row(row: &Row) -> Result<PusherRow, StoreError> {
    let hash = row.bytes(2)?.try_into();
    Ok(PusherRow {
        user: row.int(1)?,
        hash: hash.map_err(|_| StoreError::Damaged("pushers.hash".to_owned()))?,
        device_id: row.text(3)?.to_owned(),
        session: row.int(4)?,
        content: Content::Kept,
    })
}

//! The integers that stand for user and room ids in every table.

use std::sync::Arc;

use futures_util::future::try_join_all;
use moka::sync::Cache;

use crate::{Reader, StoreError, Tx, Value};

const CACHED_NAMES: u64 = 200_000;

/// Looks up interned ids. A name's integer never changes, so what is cached stays true.
#[derive(Clone)]
pub struct Names {
    users: Table,
    rooms: Table,
}

#[derive(Clone)]
struct Table {
    by_name: Cache<Arc<str>, i64>,
    by_id: Cache<i64, Arc<str>>,
    find: &'static str,
    add: &'static str,
    read: &'static str,
}

impl Names {
    pub(crate) fn new() -> Self {
        Self {
            users: Table::new(
                "SELECT id FROM user_names WHERE name = $1",
                "INSERT INTO user_names (id, name) \
                 SELECT COALESCE(MAX(id), 0) + 1, CAST($1 AS TEXT) FROM user_names WHERE TRUE \
                 ON CONFLICT (name) DO NOTHING RETURNING id",
                "SELECT name FROM user_names WHERE id = $1",
            ),
            rooms: Table::new(
                "SELECT id FROM room_names WHERE name = $1",
                "INSERT INTO room_names (id, name) \
                 SELECT COALESCE(MAX(id), 0) + 1, CAST($1 AS TEXT) FROM room_names WHERE TRUE \
                 ON CONFLICT (name) DO NOTHING RETURNING id",
                "SELECT name FROM room_names WHERE id = $1",
            ),
        }
    }

    /// The integer of a user id that has been interned.
    pub async fn user(&self, reader: &Reader, name: &str) -> Result<Option<i64>, StoreError> {
        self.users.find(reader, name).await
    }

    /// The integer of a room id that has been interned.
    pub async fn room(&self, reader: &Reader, name: &str) -> Result<Option<i64>, StoreError> {
        self.rooms.find(reader, name).await
    }

    /// The user id behind an integer.
    pub async fn user_name(&self, reader: &Reader, id: i64) -> Result<Arc<str>, StoreError> {
        self.users.name(reader, id).await
    }

    /// The room id behind an integer.
    pub async fn room_name(&self, reader: &Reader, id: i64) -> Result<Arc<str>, StoreError> {
        self.rooms.name(reader, id).await
    }

    /// The user's integer if it is in memory already; asks no database.
    pub fn cached_user(&self, name: &str) -> Option<i64> {
        self.users.by_name.get(name)
    }

    /// The room's integer if it is in memory already; asks no database.
    pub fn cached_room(&self, name: &str) -> Option<i64> {
        self.rooms.by_name.get(name)
    }

    pub(crate) async fn intern_users(
        &self,
        tx: &Tx,
        names: &[&str],
    ) -> Result<Vec<i64>, StoreError> {
        self.users.intern(tx, names).await
    }

    pub(crate) async fn intern_rooms(
        &self,
        tx: &Tx,
        names: &[&str],
    ) -> Result<Vec<i64>, StoreError> {
        self.rooms.intern(tx, names).await
    }
}

impl Table {
    fn new(find: &'static str, add: &'static str, read: &'static str) -> Self {
        let by_name = Cache::new(CACHED_NAMES);
        Self {
            by_name,
            by_id: Cache::new(CACHED_NAMES),
            find,
            add,
            read,
        }
    }

    async fn find(&self, reader: &Reader, name: &str) -> Result<Option<i64>, StoreError> {
        if let Some(id) = self.by_name.get(name) {
            return Ok(Some(id));
        }
        let Some(row) = reader.query_opt(self.find, &[name.into()]).await? else {
            return Ok(None);
        };
        let id = row.int(0)?;
        self.remember_from(reader, name, id);
        Ok(Some(id))
    }

    async fn name(&self, reader: &Reader, id: i64) -> Result<Arc<str>, StoreError> {
        if let Some(name) = self.by_id.get(&id) {
            return Ok(name);
        }
        let row = reader
            .query_opt(self.read, &[id.into()])
            .await?
            .ok_or_else(|| StoreError::Damaged(format!("no name stands for {id}")))?;
        let name = row.text(0)?;
        self.remember_from(reader, name, id);
        Ok(name.into())
    }

    async fn intern(&self, tx: &Tx, names: &[&str]) -> Result<Vec<i64>, StoreError> {
        // All at once: each step is one round trip, however many names there are.
        try_join_all(names.iter().map(|name| self.intern_one(tx, name))).await
    }

    async fn intern_one(&self, tx: &Tx, name: &str) -> Result<i64, StoreError> {
        if let Some(id) = self.by_name.get(name) {
            return Ok(id);
        }
        let key: [Value; 1] = [name.into()];
        let found = match tx.query_opt(self.find, &key).await? {
            Some(row) => Some(row),
            None => match tx.query_opt(self.add, &key).await? {
                Some(row) => Some(row),
                // This batch interned it between the two statements.
                None => tx.query_opt(self.find, &key).await?,
            },
        };
        let row = found.ok_or_else(|| StoreError::Damaged("a name was not interned".to_owned()))?;
        let (id, table, name) = (row.int(0)?, self.clone(), name.to_owned());
        tx.on_commit(move || table.remember(&name, id));
        Ok(id)
    }

    /// What a batch reads of itself may be rolled back, and its integer given to another name.
    fn remember_from(&self, reader: &Reader, name: &str, id: i64) {
        if !reader.is_batch() {
            self.remember(name, id);
        }
    }

    fn remember(&self, name: &str, id: i64) {
        let name: Arc<str> = name.into();
        self.by_name.insert(Arc::clone(&name), id);
        self.by_id.insert(id, name);
    }
}

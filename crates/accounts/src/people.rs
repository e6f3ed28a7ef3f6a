//! The people of this server and what they call themselves: an index in memory, made from sealed
//! rows.
//!
//! Each reading asks for what has changed since the one before, by position. So the index is true
//! at every node, whoever wrote, and a search opens nothing that it has opened before.

use std::{collections::BTreeMap, sync::Arc};

use model::search_text::fold;
use ruma::{OwnedMxcUri, OwnedUserId};
use store::{Row, Snapshot, StoreError};
use tokio::sync::Mutex;

use crate::{
    AccountKind, Accounts,
    profile::{AVATAR_URL, DISPLAY_NAME},
    rows::{self, place},
};

/// How many values are opened together; their keys are asked for in one go.
const OPENED_AT_ONCE: usize = 256;

const CHANGED_ACCOUNTS: &str = "SELECT accounts.user_id, user_names.name, deactivated_at, \
     kind FROM accounts JOIN user_names ON user_names.id = accounts.user_id \
     WHERE pos > $1 AND pos <= $2";

const CHANGED_FIELDS: &str = "SELECT user_id, field, value FROM profile_fields \
     WHERE pos > $1 AND pos <= $2 AND field IN ('displayname', 'avatar_url')";

/// Somebody with an open account here.
#[derive(Clone, Debug)]
pub struct Person {
    /// Their id.
    pub user_id: OwnedUserId,
    /// What they call themselves.
    pub display_name: Option<String>,
    /// Their picture.
    pub avatar_url: Option<OwnedMxcUri>,
    /// The name before the colon, folded for searching.
    pub folded_localpart: String,
    /// What they call themselves, folded for searching.
    pub folded_name: String,
}

/// Everybody, by interned id.
pub type People = BTreeMap<i64, Arc<Person>>;

/// The index, and up to where it follows the log.
#[derive(Default)]
pub(crate) struct PeopleIndex(Mutex<Indexed>);

#[derive(Default)]
struct Indexed {
    upto: i64,
    people: Arc<People>,
}

/// What changed between two positions.
struct Changes {
    accounts: Vec<(i64, Option<OwnedUserId>)>,
    fields: Vec<(i64, String, Option<String>)>,
}

impl Accounts {
    /// Everybody with an open account here, as they are called in the snapshot or later.
    pub async fn people(&self, snapshot: &Snapshot) -> Result<Arc<People>, StoreError> {
        let head = snapshot.head().get();
        let mut indexed = self.inner.changes.people.0.lock().await;
        if indexed.upto < head {
            let changes = self.changes_between(snapshot, indexed.upto, head).await?;
            // Those who search meanwhile keep what they have.
            changes.apply(Arc::make_mut(&mut indexed.people));
            indexed.upto = head;
        }
        Ok(Arc::clone(&indexed.people))
    }

    async fn changes_between(
        &self,
        snapshot: &Snapshot,
        after: i64,
        upto: i64,
    ) -> Result<Changes, StoreError> {
        let between = [after.into(), upto.into()];
        let rows = snapshot.query(CHANGED_ACCOUNTS, &between).await?;
        let accounts = rows.iter().map(account_of);
        let accounts = accounts.collect::<Result<_, _>>()?;
        let rows = snapshot.query(CHANGED_FIELDS, &between).await?;
        let mut fields = Vec::with_capacity(rows.len());
        for rows in rows.chunks(OPENED_AT_ONCE) {
            self.open_fields(snapshot, rows, &mut fields).await?;
        }
        Ok(Changes { accounts, fields })
    }

    async fn open_fields(
        &self,
        snapshot: &Snapshot,
        rows: &[Row],
        into: &mut Vec<(i64, String, Option<String>)>,
    ) -> Result<(), StoreError> {
        let sealed = rows.iter().map(|row| row.opt_bytes(2));
        let sealed = sealed.collect::<Result<Vec<_>, _>>()?;
        let sealed: Vec<&[u8]> = sealed.into_iter().flatten().collect();
        let keys = self.inner.keyring.keys_of(snapshot, sealed).await?;
        for row in rows {
            let (user, field) = (row.int(0)?, row.text(1)?);
            let id = place::field_row(user, field);
            let value = match row.opt_bytes(2)? {
                Some(sealed) => {
                    let json = keys.open(place::profile_field(&id), sealed)?;
                    serde_json::from_slice::<String>(&json).ok()
                }
                None => None,
            };
            let value = value.filter(|text| !text.is_empty());
            into.push((user, field.to_owned(), value));
        }
        Ok(())
    }
}

/// An account that changed, without an id when it was closed, or is the server's own.
fn account_of(row: &Row) -> Result<(i64, Option<OwnedUserId>), StoreError> {
    let is_open = row.opt_int(2)?.is_none();
    let is_found = AccountKind::read(row.int(3)?)? != AccountKind::Server;
    let user_id = rows::user_id(row.text(1)?)?;
    Ok((row.int(0)?, (is_open && is_found).then_some(user_id)))
}

impl Changes {
    fn apply(self, people: &mut People) {
        for (user, user_id) in self.accounts {
            match user_id {
                Some(user_id) => {
                    let person = || Arc::new(Person::new(user_id));
                    people.entry(user).or_insert_with(person);
                }
                None => drop(people.remove(&user)),
            }
        }
        for (user, field, value) in self.fields {
            let Some(person) = people.get_mut(&user) else {
                continue;
            };
            let person = Arc::make_mut(person);
            match field.as_str() {
                DISPLAY_NAME => {
                    person.folded_name = value.as_deref().map(fold).unwrap_or_default();
                    person.display_name = value;
                }
                AVATAR_URL => person.avatar_url = value.map(OwnedMxcUri::from),
                _ => {}
            }
        }
    }
}

impl Person {
    fn new(user_id: OwnedUserId) -> Self {
        Self {
            folded_localpart: fold(user_id.localpart()),
            user_id,
            display_name: None,
            avatar_url: None,
            folded_name: String::new(),
        }
    }
}

//! How dehydrated devices take part in a batch.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use seal::{KeySet, Keyring, Scope};
use store::{
    Applier, CheckContext, ColumnType, Insert, Staged, StoreError, Tx, Value, Verdict, Writes,
};

use super::{dehydrated_place, place};

/// Applies changes to dehydrated devices.
pub(crate) struct DehydratedChanges {
    pub(crate) keyring: Keyring,
}

/// What is asked for.
pub(crate) enum DehydratedChange {
    Put(PutDehydrated),
    Drop { user: String, device: String },
    DropUser { user: String },
}

/// A device that takes the place of another, or of none.
pub(crate) struct PutDehydrated {
    pub(super) user: String,
    pub(super) device: String,
    pub(super) replaces: Option<String>,
    pub(super) data: String,
    pub(super) name: Option<String>,
}

/// Why it is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DehydratedRefusal {
    /// It is no longer the device that was read.
    Overtaken,
}

/// What a batch knows of the users it changes.
pub(crate) struct DehydratedWork {
    users: HashMap<String, i64>,
    rows: Staged<i64, DehydratedRow>,
    keys: KeySet,
}

struct DehydratedRow {
    device: String,
    /// What is to be written; `None` when the row was only read.
    new: Option<NewRow>,
}

struct NewRow {
    data: String,
    name: Option<String>,
    pos: i64,
}

const READ: &str = "SELECT device_id FROM dehydrated_devices WHERE user_id = $1";
const DROP: &str = "DELETE FROM dehydrated_devices WHERE user_id = $1";

static PUT: Insert = Insert {
    table: "dehydrated_devices",
    columns: &[
        ("user_id", ColumnType::Int),
        ("device_id", ColumnType::Text),
        ("device_data", ColumnType::Bytes),
        ("display_name", ColumnType::Bytes),
        ("pos", ColumnType::Int),
    ],
    on_conflict: "ON CONFLICT (user_id) DO UPDATE SET device_id = excluded.device_id, \
        device_data = excluded.device_data, display_name = excluded.display_name, \
        pos = excluded.pos",
};

impl DehydratedChange {
    fn user(&self) -> &str {
        match self {
            Self::Put(put) => &put.user,
            Self::Drop { user, .. } | Self::DropUser { user } => user,
        }
    }
}

#[async_trait]
impl Applier for DehydratedChanges {
    type Change = DehydratedChange;
    type Outcome = ();
    type Refusal = DehydratedRefusal;
    type Work = DehydratedWork;

    const KIND: &'static str = "keys.dehydrated";

    fn size_bytes(change: &DehydratedChange) -> usize {
        256 + match change {
            DehydratedChange::Put(put) => put.data.len(),
            DehydratedChange::Drop { .. } | DehydratedChange::DropUser { .. } => 0,
        }
    }

    async fn prepare(
        &self,
        tx: &Tx,
        changes: &[&DehydratedChange],
    ) -> Result<DehydratedWork, StoreError> {
        let names: BTreeSet<&str> = changes.iter().map(|change| change.user()).collect();
        let names: Vec<&str> = names.into_iter().collect();
        let ids = tx.intern_users(&names).await?;
        let scopes = ids.iter().copied().map(Scope::User);
        let mut work = DehydratedWork {
            users: HashMap::new(),
            rows: Staged::default(),
            keys: self.keyring.keys_in(tx, scopes).await?,
        };
        for (name, user) in names.into_iter().zip(ids) {
            work.users.insert(name.to_owned(), user);
            if let Some(row) = tx.query_opt(READ, &[user.into()]).await? {
                let device = row.text(0)?.to_owned();
                work.rows.load(user, DehydratedRow { device, new: None });
            }
        }
        Ok(work)
    }

    fn check(
        &self,
        work: &mut DehydratedWork,
        change: &DehydratedChange,
        context: &mut CheckContext<'_>,
    ) -> Result<Verdict<()>, DehydratedRefusal> {
        let user = work.users.get(change.user()).copied().unwrap_or_default();
        let stands = work.rows.get(&user).map(|row| row.device.as_str());
        match change {
            DehydratedChange::Put(put) => {
                if stands != put.replaces.as_deref() {
                    return Err(DehydratedRefusal::Overtaken);
                }
                let new = NewRow {
                    data: put.data.clone(),
                    name: put.name.clone(),
                    pos: context.pos().get(),
                };
                let row = DehydratedRow {
                    device: put.device.clone(),
                    new: Some(new),
                };
                work.rows.put(user, row);
            }
            DehydratedChange::Drop { device, .. } => {
                if stands != Some(device) {
                    return Err(DehydratedRefusal::Overtaken);
                }
                work.rows.remove(&user);
            }
            DehydratedChange::DropUser { .. } => {
                if stands.is_none() {
                    return Ok(Verdict::Nothing(()));
                }
                work.rows.remove(&user);
            }
        }
        Ok(Verdict::Apply(()))
    }

    fn settle(&self, work: &mut DehydratedWork, keep: bool) {
        work.rows.settle(keep);
    }

    fn write(&self, work: &mut DehydratedWork, writes: &mut Writes) -> Result<(), StoreError> {
        for user in work.rows.deleted() {
            writes.execute(DROP, vec![(*user).into()]);
        }
        let mut rows = Vec::new();
        for (user, row) in work.rows.written() {
            if let Some(new) = &row.new {
                rows.push(row_of(&work.keys, *user, &row.device, new)?);
            }
        }
        writes.insert(&PUT, rows);
        Ok(())
    }
}

fn row_of(keys: &KeySet, user: i64, device: &str, new: &NewRow) -> Result<Vec<Value>, StoreError> {
    let id = dehydrated_place(user, device);
    let seal = |column, text: &str| {
        let sealed = keys.seal(Scope::User(user), place(column, &id), text.as_bytes());
        sealed.map_err(StoreError::from)
    };
    let name = new.name.as_deref();
    let name = name.map(|name| seal("display_name", name)).transpose()?;
    Ok(vec![
        user.into(),
        device.into(),
        seal("device_data", &new.data)?.into(),
        name.into(),
        new.pos.into(),
    ])
}

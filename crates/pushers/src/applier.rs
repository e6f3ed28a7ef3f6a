//! How pushers take part in a batch.

use async_trait::async_trait;
use ruma::OwnedUserId;
use seal::{Keyring, Place, Scope};
use store::{Applier, CheckContext, ColumnType, Insert, StoreError, Tx, Verdict, Writes};

use crate::work::{Content, PusherRow, Work};

/// How many pushers a person has, at most.
pub const MAX_PUSHERS: usize = 50;

/// A keyed hash of an application and a push key.
pub(crate) type Hash = [u8; 32];

/// What the table of pushers can be asked to become.
pub enum Change {
    /// Adds a pusher, or replaces the same one.
    Set(NewPusher),
    /// Removes a pusher of a user.
    Remove {
        /// The user.
        user: i64,
        /// Its application and push key.
        hash: Hash,
    },
    /// Removes all pushers of a device.
    RemoveDevice {
        /// Whose.
        user_id: OwnedUserId,
        /// The device.
        device_id: String,
    },
    /// Removes all pushers of a user.
    RemoveUser {
        /// Whose.
        user_id: OwnedUserId,
    },
    /// Removes a pusher that its gateway does not know any more.
    Reject {
        /// Which.
        id: i64,
    },
}

/// A pusher to be.
pub struct NewPusher {
    pub(crate) user: i64,
    pub(crate) hash: Hash,
    pub(crate) device_id: String,
    pub(crate) session: i64,
    pub(crate) content: Vec<u8>,
    /// Whether other people's pushers of the same application and push key stay.
    pub(crate) append: bool,
}

/// Why a pusher is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PusherRefusal {
    /// There are too many.
    #[error("a person has at most {MAX_PUSHERS} pushers")]
    TooMany,
}

/// The applier of pushers.
pub struct PusherChanges {
    keyring: Keyring,
}

impl PusherChanges {
    /// Makes the applier, to be registered with the log.
    pub fn new(keyring: Keyring) -> Self {
        Self { keyring }
    }
}

static INSERT: Insert = Insert {
    table: "pushers",
    columns: &[
        ("id", ColumnType::Int),
        ("user_id", ColumnType::Int),
        ("hash", ColumnType::Bytes),
        ("device_id", ColumnType::Text),
        ("session", ColumnType::Int),
        ("sealed", ColumnType::Bytes),
    ],
    on_conflict: "",
};

const DELETE: &str = "DELETE FROM pushers WHERE id = $1";

/// Where a pusher is sealed.
pub(crate) fn place(id: &str) -> Place<'_> {
    Place {
        table: "pushers",
        column: "sealed",
        id,
    }
}

#[async_trait]
impl Applier for PusherChanges {
    type Change = Change;
    type Outcome = ();
    type Refusal = PusherRefusal;
    type Work = Work;

    const KIND: &'static str = "pushers";

    fn size_bytes(change: &Change) -> usize {
        let content = match change {
            Change::Set(new) => new.content.len(),
            _ => 0,
        };
        512 + content
    }

    async fn prepare(&self, tx: &Tx, changes: &[&Change]) -> Result<Work, StoreError> {
        Work::load(&self.keyring, tx, changes).await
    }

    fn check(
        &self,
        work: &mut Work,
        change: &Change,
        context: &mut CheckContext<'_>,
    ) -> Result<Verdict<()>, PusherRefusal> {
        let removed = match change {
            Change::Set(new) => return set(work, new, context),
            Change::Remove { user, hash } => work.of_user(*user, |row| row.hash == *hash),
            Change::RemoveDevice { user_id, device_id } => match work.names.get(user_id) {
                Some(user) => work.of_user(*user, |row| row.device_id == *device_id),
                None => Vec::new(),
            },
            Change::RemoveUser { user_id } => match work.names.get(user_id) {
                Some(user) => work.of_user(*user, |_| true),
                None => Vec::new(),
            },
            Change::Reject { id } => work.rows.get(id).map(|_| *id).into_iter().collect(),
        };
        if removed.is_empty() {
            return Ok(Verdict::Nothing(()));
        }
        remove(work, &removed, context);
        Ok(Verdict::Apply(()))
    }

    fn settle(&self, work: &mut Work, keep: bool) {
        work.rows.settle(keep);
    }

    fn write(&self, work: &mut Work, writes: &mut Writes) -> Result<(), StoreError> {
        let mut rows = Vec::new();
        for (id, row) in work.rows.changed() {
            writes.execute(DELETE, vec![(*id).into()]);
            let Some(PusherRow {
                user,
                hash,
                device_id,
                session,
                content: Content::New(content),
            }) = row
            else {
                continue;
            };
            let name = id.to_string();
            let sealed = work.keys.seal(Scope::User(*user), place(&name), content)?;
            rows.push(vec![
                (*id).into(),
                (*user).into(),
                hash.to_vec().into(),
                device_id.as_str().into(),
                (*session).into(),
                sealed.into(),
            ]);
        }
        writes.insert(&INSERT, rows);
        Ok(())
    }
}

/// Sets a pusher. One that is set again, as clients do at each start, keeps its id, and with it what
/// waits to be delivered.
fn set(
    work: &mut Work,
    new: &NewPusher,
    context: &mut CheckContext<'_>,
) -> Result<Verdict<()>, PusherRefusal> {
    let same = work.rows.iter().filter(|(_, row)| row.hash == new.hash);
    let same: Vec<_> = same.map(|(id, row)| (*id, row.user)).collect();
    let own = same.iter().find(|(_, user)| *user == new.user);
    let id = own.map_or(context.pos().get(), |(id, _)| *id);
    if own.is_none() && work.of_user(new.user, |_| true).len() >= MAX_PUSHERS {
        return Err(PusherRefusal::TooMany);
    }
    if !new.append {
        let others = same.iter().filter(|(_, user)| *user != new.user);
        let others: Vec<i64> = others.map(|(id, _)| *id).collect();
        remove(work, &others, context);
    }
    context.touch_user(new.user);
    let row = PusherRow {
        user: new.user,
        hash: new.hash,
        device_id: new.device_id.clone(),
        session: new.session,
        content: Content::New(new.content.clone()),
    };
    work.rows.put(id, row);
    Ok(Verdict::Apply(()))
}

fn remove(work: &mut Work, ids: &[i64], context: &mut CheckContext<'_>) {
    for id in ids {
        if let Some(row) = work.rows.get(id) {
            context.touch_user(row.user);
        }
        work.rows.remove(id);
    }
}

//! What a node keeps in mind of a user: enough to judge each of their tokens.

use std::{collections::HashMap, sync::Arc};

use ruma::OwnedUserId;
use store::{Database, Pos, Reader, StoreError};

use crate::{AccountKind, applier::AccountChanges, rows};

/// A user's account and sessions at one moment.
#[derive(Debug)]
pub(crate) struct UserState {
    pub(crate) user_id: OwnedUserId,
    pub(crate) admin: bool,
    pub(crate) locked: bool,
    pub(crate) suspended: bool,
    pub(crate) kind: AccountKind,
    pub(crate) deactivated: bool,
    /// By device id.
    pub(crate) sessions: HashMap<String, SessionState>,
}

/// Which tokens of a session are good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionState {
    pub(crate) session: i64,
    pub(crate) generation: i64,
    pub(crate) next_generation: i64,
}

impl SessionState {
    /// Whether tokens of this generation are good.
    pub(crate) fn allows(&self, generation: i64) -> bool {
        generation == self.generation || generation == self.next_generation
    }
}

const READ_STATE: &str =
    "SELECT admin, deactivated_at, locked, suspended, kind FROM accounts WHERE user_id = $1";
const READ_SESSIONS: &str =
    "SELECT device_id, session, generation, next_generation FROM devices WHERE user_id = $1";

impl AccountChanges {
    /// The state of a user; `None` when there is no such account.
    pub(crate) async fn user_state(
        &self,
        database: &Database,
        user: i64,
    ) -> Result<Option<Arc<UserState>>, StoreError> {
        if let Some(state) = self.users.get(&user) {
            return Ok(Some(state));
        }
        let snapshot = database.snapshot().await?;
        let state = read_state(database, &snapshot, user).await?.map(Arc::new);
        if let Some(state) = &state {
            let head: Pos = snapshot.head();
            self.users.fill(user, Arc::clone(state), head);
        }
        Ok(state)
    }
}

async fn read_state(
    database: &Database,
    reader: &Reader,
    user: i64,
) -> Result<Option<UserState>, StoreError> {
    let Some(row) = reader.query_opt(READ_STATE, &[user.into()]).await? else {
        return Ok(None);
    };
    let (admin, deactivated) = (row.flag(0)?, row.opt_int(1)?.is_some());
    let (locked, suspended) = (row.flag(2)?, row.flag(3)?);
    let kind = AccountKind::read(row.int(4)?)?;
    let name = database.names().user_name(reader, user).await?;
    let mut sessions = HashMap::new();
    for row in reader.query(READ_SESSIONS, &[user.into()]).await? {
        let state = SessionState {
            session: row.int(1)?,
            generation: row.int(2)?,
            next_generation: row.int(3)?,
        };
        sessions.insert(row.text(0)?.to_owned(), state);
    }
    Ok(Some(UserState {
        user_id: rows::user_id(&name)?,
        admin,
        locked,
        suspended,
        kind,
        deactivated,
        sessions,
    }))
}

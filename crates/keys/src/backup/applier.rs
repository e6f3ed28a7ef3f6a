//! How key backups take part in a batch.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use futures_util::future::try_join_all;
use seal::{KeySet, Keyring, Place, Scope};
use store::{Applier, CheckContext, Journal, Staged, StoreError, Tx, Value, Verdict, Writes};

use super::{
    session::CheckedSession,
    tables::{
        PUT_SESSIONS, PUT_VERSIONS, SessionKey, SessionRow, VersionRow, load_session,
        load_versions, session_place, version_place,
    },
};
use crate::limits;

/// Applies changes to key backups.
pub(crate) struct BackupChanges {
    pub(crate) keyring: Keyring,
}

/// What is asked for.
pub(crate) enum BackupChange {
    Create {
        user: String,
        algorithm: String,
        auth_data: String,
    },
    Update {
        user: String,
        version: i64,
        algorithm: String,
        auth_data: String,
    },
    DeleteVersion {
        user: String,
        version: i64,
    },
    PutSessions {
        user: String,
        version: i64,
        /// How many sessions the version had when it was asked for.
        stored: u64,
        sessions: Vec<CheckedSession>,
    },
    DeleteSessions {
        user: String,
        version: i64,
        selection: Selection,
    },
    DropUser {
        user: String,
    },
}

/// Which sessions, by interned room.
#[derive(Clone, Debug)]
pub(crate) enum Selection {
    All,
    Room(i64),
    Session(i64, String),
    /// Sessions of a room that nobody has ever named.
    Nothing,
}

/// What the caller learns: the version, its etag after the change, and how many sessions are new.
#[derive(Clone, Copy, Default)]
pub(crate) struct BackupOutcome {
    pub(crate) version: i64,
    pub(crate) etag: i64,
    pub(crate) added: u64,
}

impl BackupOutcome {
    fn of(version: i64, etag: i64) -> Self {
        Self {
            version,
            etag,
            added: 0,
        }
    }
}

/// Why it is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BackupRefusal {
    NoSuchVersion,
    WrongVersion { current: i64 },
    AlgorithmDiffers,
    Full,
}

/// What a batch knows of the backups it changes.
pub(crate) struct BackupWork {
    users: HashMap<String, i64>,
    rooms: HashMap<String, i64>,
    versions: Staged<(i64, i64), VersionRow>,
    sessions: Staged<SessionKey, SessionRow>,
    deletions: Journal<(&'static str, Vec<Value>)>,
    keys: KeySet,
}

#[async_trait]
impl Applier for BackupChanges {
    type Change = BackupChange;
    type Outcome = BackupOutcome;
    type Refusal = BackupRefusal;
    type Work = BackupWork;

    const KIND: &'static str = "keys.backup";

    fn size_bytes(change: &BackupChange) -> usize {
        256 + match change {
            BackupChange::Create { auth_data, .. } | BackupChange::Update { auth_data, .. } => {
                auth_data.len()
            }
            BackupChange::PutSessions { sessions, .. } => {
                sessions.iter().map(CheckedSession::size_bytes).sum()
            }
            BackupChange::DeleteVersion { .. }
            | BackupChange::DeleteSessions { .. }
            | BackupChange::DropUser { .. } => 0,
        }
    }

    async fn prepare(&self, tx: &Tx, changes: &[&BackupChange]) -> Result<BackupWork, StoreError> {
        let users: BTreeSet<&str> = changes.iter().map(|change| change.user()).collect();
        let rooms: BTreeSet<&str> = changes
            .iter()
            .flat_map(|change| change.sessions())
            .map(|session| session.room.as_str())
            .collect();
        let users = interned(users, async |names| tx.intern_users(names).await).await?;
        let rooms = interned(rooms, async |names| tx.intern_rooms(names).await).await?;
        let places: BTreeSet<SessionKey> = changes
            .iter()
            .flat_map(|change| {
                let place = (users[change.user()], change.version());
                change
                    .sessions()
                    .iter()
                    .map(move |session| (place, session))
            })
            .map(|((user, version), session)| {
                (user, version, rooms[&session.room], session.session.clone())
            })
            .collect();
        let (keys, versions, sessions) = futures_util::try_join!(
            self.keyring
                .keys_in(tx, users.values().copied().map(Scope::User)),
            try_join_all(users.values().map(|user| load_versions(tx, *user))),
            try_join_all(places.into_iter().map(|place| load_session(tx, place)))
        )?;
        let mut work = BackupWork {
            users,
            rooms,
            versions: Staged::default(),
            sessions: Staged::default(),
            deletions: Journal::default(),
            keys,
        };
        for (key, row) in versions.into_iter().flatten() {
            work.versions.load(key, row);
        }
        for (key, row) in sessions.into_iter().flatten() {
            work.sessions.load(key, row);
        }
        Ok(work)
    }

    fn check(
        &self,
        work: &mut BackupWork,
        change: &BackupChange,
        _: &mut CheckContext<'_>,
    ) -> Result<Verdict<BackupOutcome>, BackupRefusal> {
        let user = work.users.get(change.user()).copied().unwrap_or_default();
        match change {
            BackupChange::Create {
                algorithm,
                auth_data,
                ..
            } => Ok(work.create(user, algorithm, auth_data)),
            BackupChange::Update {
                version,
                algorithm,
                auth_data,
                ..
            } => work.update(user, *version, algorithm, auth_data),
            BackupChange::DeleteVersion { version, .. } => work.delete_version(user, *version),
            BackupChange::PutSessions {
                version,
                stored,
                sessions,
                ..
            } => work.put_sessions(user, *version, *stored, sessions),
            BackupChange::DeleteSessions {
                version, selection, ..
            } => work.delete_sessions(user, *version, selection),
            BackupChange::DropUser { .. } => Ok(work.drop_user(user)),
        }
    }

    fn settle(&self, work: &mut BackupWork, keep: bool) {
        work.versions.settle(keep);
        work.sessions.settle(keep);
        work.deletions.settle(keep);
    }

    fn write(&self, work: &mut BackupWork, writes: &mut Writes) -> Result<(), StoreError> {
        // Deletions first: what the batch deleted again is no longer among the staged rows.
        for (sql, params) in work.deletions.kept() {
            writes.execute(sql, params.clone());
        }
        writes.insert(&PUT_VERSIONS, work.version_rows()?);
        writes.insert(&PUT_SESSIONS, work.session_rows()?);
        Ok(())
    }
}

async fn interned(
    names: BTreeSet<&str>,
    intern: impl AsyncFnOnce(&[&str]) -> Result<Vec<i64>, StoreError>,
) -> Result<HashMap<String, i64>, StoreError> {
    let names: Vec<&str> = names.into_iter().collect();
    let ids = intern(&names).await?;
    let names = names.into_iter().map(str::to_owned);
    Ok(names.zip(ids).collect())
}

impl BackupChange {
    fn user(&self) -> &str {
        match self {
            Self::Create { user, .. }
            | Self::Update { user, .. }
            | Self::DeleteVersion { user, .. }
            | Self::PutSessions { user, .. }
            | Self::DeleteSessions { user, .. }
            | Self::DropUser { user } => user,
        }
    }

    fn version(&self) -> i64 {
        match self {
            Self::Update { version, .. }
            | Self::DeleteVersion { version, .. }
            | Self::PutSessions { version, .. }
            | Self::DeleteSessions { version, .. } => *version,
            Self::Create { .. } | Self::DropUser { .. } => 0,
        }
    }

    fn sessions(&self) -> &[CheckedSession] {
        match self {
            Self::PutSessions { sessions, .. } => sessions,
            _ => &[],
        }
    }
}

impl BackupWork {
    fn versions_of(&self, user: i64) -> impl Iterator<Item = (i64, &VersionRow)> {
        self.versions
            .from((user, i64::MIN))
            .take_while(move |((owner, _), _)| *owner == user)
            .map(|((_, version), row)| (*version, row))
    }

    /// The newest version that is not deleted.
    fn current(&self, user: i64) -> Option<i64> {
        let versions = self.versions_of(user).filter(|(_, row)| !row.deleted);
        versions.map(|(version, _)| version).last()
    }

    fn existing(&self, user: i64, version: i64) -> Result<VersionRow, BackupRefusal> {
        let row = self.versions.get(&(user, version));
        let row = row.filter(|row| !row.deleted);
        row.cloned().ok_or(BackupRefusal::NoSuchVersion)
    }

    fn create(&mut self, user: i64, algorithm: &str, auth_data: &str) -> Verdict<BackupOutcome> {
        let last = self.versions_of(user).map(|(version, _)| version).last();
        let version = last.unwrap_or(0) + 1;
        let row = VersionRow {
            algorithm: algorithm.to_owned(),
            etag: 0,
            deleted: false,
            auth_data: Some(auth_data.to_owned()),
        };
        self.versions.put((user, version), row);
        Verdict::Apply(BackupOutcome::of(version, 0))
    }

    fn update(
        &mut self,
        user: i64,
        version: i64,
        algorithm: &str,
        auth_data: &str,
    ) -> Result<Verdict<BackupOutcome>, BackupRefusal> {
        let mut row = self.existing(user, version)?;
        if row.algorithm != algorithm {
            return Err(BackupRefusal::AlgorithmDiffers);
        }
        row.auth_data = Some(auth_data.to_owned());
        let etag = row.etag;
        self.versions.put((user, version), row);
        Ok(Verdict::Apply(BackupOutcome::of(version, etag)))
    }

    fn delete_version(
        &mut self,
        user: i64,
        version: i64,
    ) -> Result<Verdict<BackupOutcome>, BackupRefusal> {
        let Some(row) = self.versions.get(&(user, version)) else {
            return Err(BackupRefusal::NoSuchVersion);
        };
        let mut row = row.clone();
        let etag = row.etag;
        if row.deleted {
            return Ok(Verdict::Already(BackupOutcome::of(version, etag)));
        }
        row.deleted = true;
        row.auth_data = None;
        self.versions.put((user, version), row);
        self.forget_sessions(user, version, &Selection::All);
        Ok(Verdict::Apply(BackupOutcome::of(version, etag)))
    }

    fn put_sessions(
        &mut self,
        user: i64,
        version: i64,
        stored: u64,
        sessions: &[CheckedSession],
    ) -> Result<Verdict<BackupOutcome>, BackupRefusal> {
        let current = self.current(user).ok_or(BackupRefusal::NoSuchVersion)?;
        if current != version {
            return Err(BackupRefusal::WrongVersion { current });
        }
        let mut row = self.existing(user, version)?;
        let mut changed = false;
        let mut added = 0;
        for session in sessions {
            let room = self.rooms.get(&session.room).copied().unwrap_or_default();
            let key = (user, version, room, session.session.clone());
            let before = self.sessions.get(&key);
            added += u64::from(before.is_none());
            if before.is_none_or(|before| session.rank.replaces(before.rank)) {
                let row = SessionRow {
                    rank: session.rank,
                    data: session.data.clone(),
                };
                self.sessions.put(key, row);
                changed = true;
            }
        }
        // Better keys for sessions that are there already need no room.
        if added > 0 && stored.saturating_add(added) > limits::BACKUP_SESSIONS {
            return Err(BackupRefusal::Full);
        }
        let etag = row.etag;
        if !changed {
            return Ok(Verdict::Nothing(BackupOutcome::of(version, etag)));
        }
        let etag = etag + 1;
        row.etag = etag;
        self.versions.put((user, version), row);
        Ok(Verdict::Apply(BackupOutcome {
            version,
            etag,
            added,
        }))
    }

    fn delete_sessions(
        &mut self,
        user: i64,
        version: i64,
        selection: &Selection,
    ) -> Result<Verdict<BackupOutcome>, BackupRefusal> {
        let mut row = self.existing(user, version)?;
        if matches!(selection, Selection::Nothing) {
            let etag = row.etag;
            return Ok(Verdict::Nothing(BackupOutcome::of(version, etag)));
        }
        self.forget_sessions(user, version, selection);
        row.etag += 1;
        let etag = row.etag;
        self.versions.put((user, version), row);
        Ok(Verdict::Apply(BackupOutcome::of(version, etag)))
    }

    fn forget_sessions(&mut self, user: i64, version: i64, selection: &Selection) {
        let staged = self.sessions.iter().map(|(key, _)| key);
        let staged: Vec<SessionKey> = staged
            .filter(|(owner, of, room, session)| {
                *owner == user && *of == version && selection.covers(*room, session)
            })
            .cloned()
            .collect();
        for key in staged {
            self.sessions.remove(&key);
        }
        self.deletions.push(selection.deletion(user, version));
    }

    fn drop_user(&mut self, user: i64) -> Verdict<BackupOutcome> {
        let versions: Vec<i64> = self.versions_of(user).map(|(version, _)| version).collect();
        let outcome = BackupOutcome::default();
        if versions.is_empty() {
            return Verdict::Nothing(outcome);
        }
        for version in versions {
            self.forget_sessions(user, version, &Selection::All);
            self.versions.remove(&(user, version));
        }
        let backups = "DELETE FROM key_backups WHERE user_id = $1";
        self.deletions.push((backups, vec![user.into()]));
        Verdict::Apply(outcome)
    }

    fn version_rows(&self) -> Result<Vec<Vec<Value>>, StoreError> {
        let rows = self.versions.changed().filter_map(|(key, row)| {
            // Those of dropped users are deleted by a statement of their own.
            row.map(|row| (key, row))
        });
        rows.map(|((user, version), row)| {
            let place = Place {
                table: "key_backups",
                column: "auth_data",
                id: &version_place(*user, *version),
            };
            let seal = |data: &String| {
                self.keys
                    .seal(Scope::User(*user), place, data.as_bytes())
                    .map_err(StoreError::from)
            };
            Ok(vec![
                (*user).into(),
                (*version).into(),
                row.algorithm.as_str().into(),
                row.auth_data.as_ref().map(seal).transpose()?.into(),
                row.etag.into(),
                row.deleted.into(),
            ])
        })
        .collect()
    }

    fn session_rows(&self) -> Result<Vec<Vec<Value>>, StoreError> {
        let rows = self.sessions.changed().filter_map(|(key, row)| {
            // Removed ones are deleted by a statement of their own.
            row.map(|row| (key, row))
        });
        rows.map(|(key, row)| {
            let (user, version, room, session) = key;
            let place = Place {
                table: "key_backup_sessions",
                column: "sealed",
                id: &session_place(key),
            };
            let sealed = self
                .keys
                .seal(Scope::User(*user), place, row.data.as_bytes())?;
            Ok(vec![
                (*user).into(),
                (*version).into(),
                (*room).into(),
                session.as_str().into(),
                row.rank.first_message_index.into(),
                row.rank.forwarded_count.into(),
                row.rank.is_verified.into(),
                sealed.into(),
            ])
        })
        .collect()
    }
}

impl Selection {
    fn covers(&self, room: i64, session: &str) -> bool {
        match self {
            Self::All => true,
            Self::Room(selected) => *selected == room,
            Self::Session(selected, id) => *selected == room && id == session,
            Self::Nothing => false,
        }
    }

    fn deletion(&self, user: i64, version: i64) -> (&'static str, Vec<Value>) {
        const DELETE: &str = "DELETE FROM key_backup_sessions WHERE user_id = $1 AND version = $2 \
             AND (CAST($3 AS BIGINT) IS NULL OR room_id = CAST($3 AS BIGINT)) \
             AND (CAST($4 AS TEXT) IS NULL OR session_id = CAST($4 AS TEXT))";
        let (room, session) = self.parts();
        (
            DELETE,
            vec![user.into(), version.into(), room.into(), session.into()],
        )
    }

    /// The room and session to ask for; `None` asks for all.
    pub(crate) fn parts(&self) -> (Option<i64>, Option<&str>) {
        match self {
            Self::All => (None, None),
            Self::Room(room) => (Some(*room), None),
            Self::Session(room, session) => (Some(*room), Some(session)),
            // Interned ids begin at 1.
            Self::Nothing => (Some(0), None),
        }
    }
}

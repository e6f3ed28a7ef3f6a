//! Versions of a user's key backup.

use model::json::complaint;
use ruma::{UserId, api::client::backup::BackupAlgorithm, serde::Raw};
use seal::Place;
use serde::Deserialize;
use serde_json::value::RawValue;
use store::{CommitError, Intent, Reader, StoreError};

use super::{
    applier::{BackupChange, BackupChanges, BackupOutcome, BackupRefusal},
    given::{member, object},
    tables::version_place,
};
use crate::{Keys, limits};

/// Why a backup is not changed or read.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The user has no such version, or no backup at all.
    #[error("there is no such backup version")]
    NoSuchVersion,
    /// The backup has no key for this session.
    #[error("there is no such key in the backup")]
    NoSuchKey,
    /// Keys go into the current version only.
    #[error("the current backup version is {current}")]
    WrongVersion {
        /// The version that keys go into.
        current: String,
    },
    /// The algorithm of a version never changes.
    #[error("the algorithm is not that of the backup")]
    AlgorithmDiffers,
    /// The version in the body is another one than that in the path.
    #[error("the versions in the body and in the path differ")]
    VersionDiffers,
    /// The version has as many sessions as a version may have.
    #[error(
        "a backup version holds at most {} keys: make a new version",
        limits::BACKUP_SESSIONS
    )]
    Full,
    /// What was sent does not have the shape that the specification gives it.
    #[error("{0}")]
    Malformed(String),
    /// Another change of the same intent was refused.
    #[error(transparent)]
    Refused(CommitError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A version of a backup.
#[derive(Clone, Debug)]
pub struct BackupInfo {
    /// Its number.
    pub version: String,
    /// How clients encrypt what they put into it.
    pub algorithm: String,
    /// What the algorithm needs to know, as the client gave it.
    pub auth_data: Box<RawValue>,
    /// How many sessions it holds, and which ones.
    pub state: BackupState,
}

/// How many sessions a backup holds, and a tag that changes with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupState {
    /// The number of sessions.
    pub count: u64,
    /// Equal as long as nobody changes a session.
    pub etag: String,
}

/// The fields of a version.
struct Fields<'a> {
    algorithm: String,
    auth_data: &'a RawValue,
    version: Option<String>,
}

/// The same as clients give them.
#[derive(Deserialize)]
struct Given<'a> {
    #[serde(borrow)]
    algorithm: Option<&'a RawValue>,
    #[serde(borrow)]
    auth_data: Option<&'a RawValue>,
    #[serde(borrow)]
    version: Option<&'a RawValue>,
}

impl Keys {
    /// Makes a new version, which is the current one from then on; gives its number.
    ///
    /// `with` adds what must become true together with it, such as an audit record.
    pub async fn create_backup(
        &self,
        user: &UserId,
        algorithm: &Raw<BackupAlgorithm>,
        with: impl FnOnce(&mut Intent),
    ) -> Result<String, BackupError> {
        let fields = parse(algorithm)?;
        let change = BackupChange::Create {
            user: user.to_string(),
            auth_data: fields.auth_data.get().to_owned(),
            algorithm: fields.algorithm,
        };
        let outcome = self.change_backup(change, with).await?;
        Ok(outcome.version.to_string())
    }

    /// Replaces what the algorithm of a version needs to know.
    pub async fn update_backup(
        &self,
        user: &UserId,
        version: &str,
        algorithm: &Raw<BackupAlgorithm>,
    ) -> Result<(), BackupError> {
        let fields = parse(algorithm)?;
        if fields.version.is_some_and(|given| given != version) {
            return Err(BackupError::VersionDiffers);
        }
        let change = BackupChange::Update {
            user: user.to_string(),
            version: number_of(version),
            auth_data: fields.auth_data.get().to_owned(),
            algorithm: fields.algorithm,
        };
        self.change_backup(change, |_| {}).await.map(drop)
    }

    /// Deletes a version and its keys; deleting it twice succeeds.
    ///
    /// `with` adds what must become true together with it, such as an audit record; it stays
    /// away when the version was deleted before.
    pub async fn delete_backup(
        &self,
        user: &UserId,
        version: &str,
        with: impl FnOnce(&mut Intent),
    ) -> Result<(), BackupError> {
        let change = BackupChange::DeleteVersion {
            user: user.to_string(),
            version: number_of(version),
        };
        self.change_backup(change, with).await.map(drop)
    }

    /// Describes a version, or the current one.
    pub async fn backup_info(
        &self,
        user: &UserId,
        version: Option<&str>,
    ) -> Result<BackupInfo, BackupError> {
        const INFO: &str = "SELECT version, algorithm, auth_data, etag FROM key_backups \
             WHERE user_id = $1 AND deleted = 0 \
             AND (CAST($2 AS BIGINT) IS NULL OR version = CAST($2 AS BIGINT)) \
             ORDER BY version DESC LIMIT 1";
        let snapshot = self.log.database().snapshot().await?;
        let user = self.backup_owner(&snapshot, user).await?;
        let params = [user.into(), version.map(number_of).into()];
        let row = snapshot.query_opt(INFO, &params).await?;
        let row = row.ok_or(BackupError::NoSuchVersion)?;
        let version = row.int(0)?;
        let place = Place {
            table: "key_backups",
            column: "auth_data",
            id: &version_place(user, version),
        };
        let opened = self.keyring.open(&snapshot, place, row.bytes(2)?).await;
        let auth_data = opened.map_err(StoreError::from)?;
        let auth_data = serde_json::from_slice(&auth_data).map_err(|_| damaged())?;
        Ok(BackupInfo {
            version: version.to_string(),
            algorithm: row.text(1)?.to_owned(),
            auth_data,
            state: BackupState {
                count: count_sessions(&snapshot, user, version).await?,
                etag: row.int(3)?.to_string(),
            },
        })
    }

    /// The integer of a user who may have backups.
    pub(super) async fn backup_owner(
        &self,
        reader: &Reader,
        user: &UserId,
    ) -> Result<i64, BackupError> {
        let names = self.log.database().names();
        let user = names.user(reader, user.as_str()).await?;
        user.ok_or(BackupError::NoSuchVersion)
    }

    pub(super) async fn change_backup(
        &self,
        change: BackupChange,
        with: impl FnOnce(&mut Intent),
    ) -> Result<BackupOutcome, BackupError> {
        let mut intent = Intent::new();
        let ticket = intent.add::<BackupChanges>(change);
        with(&mut intent);
        match self.log.commit(intent).await {
            Ok(mut committed) => committed.take(ticket).ok_or_else(|| damaged().into()),
            Err(error) => Err(match error.refusal::<BackupChanges>() {
                Ok(BackupRefusal::NoSuchVersion) => BackupError::NoSuchVersion,
                Ok(BackupRefusal::WrongVersion { current }) => BackupError::WrongVersion {
                    current: current.to_string(),
                },
                Ok(BackupRefusal::AlgorithmDiffers) => BackupError::AlgorithmDiffers,
                Ok(BackupRefusal::Full) => BackupError::Full,
                Err(CommitError::Store(error)) => BackupError::Store(error),
                Err(refused) => BackupError::Refused(refused),
            }),
        }
    }
}

/// Counts the sessions of a version.
pub(super) async fn count_sessions(
    reader: &Reader,
    user: i64,
    version: i64,
) -> Result<u64, StoreError> {
    const COUNT: &str =
        "SELECT COUNT(*) FROM key_backup_sessions WHERE user_id = $1 AND version = $2";
    let row = reader
        .query_opt(COUNT, &[user.into(), version.into()])
        .await?;
    let count = row.map_or(Ok(0), |row| row.int(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// The number of a version; one that no version has when the text is not a number.
pub(super) fn number_of(version: &str) -> i64 {
    let number: i64 = version.parse().unwrap_or(-1);
    if number.to_string() == version {
        number
    } else {
        -1
    }
}

pub(super) fn damaged() -> StoreError {
    StoreError::Damaged("a key backup is not what was written".to_owned())
}

fn parse(algorithm: &Raw<BackupAlgorithm>) -> Result<Fields<'_>, BackupError> {
    let malformed = BackupError::Malformed;
    let given: Given<'_> = serde_json::from_str(algorithm.json().get())
        .map_err(|error| malformed(complaint(&error)))?;
    let version = given
        .version
        .map(|version| member("version", Some(version)));
    let fields = Fields {
        algorithm: member("algorithm", given.algorithm).map_err(malformed)?,
        auth_data: object("auth_data", given.auth_data, limits::BACKUP_BYTES).map_err(malformed)?,
        version: version.transpose().map_err(malformed)?,
    };
    if !limits::is_id(&fields.algorithm) {
        return Err(malformed("algorithm: it is too long".to_owned()));
    }
    // Ruma's type knows the authentication data of the algorithms that it knows.
    algorithm
        .deserialize()
        .map_err(|error| malformed(format!("auth_data: {}", complaint(&error))))?;
    Ok(fields)
}

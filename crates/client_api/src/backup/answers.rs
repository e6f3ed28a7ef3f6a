//! What the endpoints of key backups have in common.

use audit::{Act, Actor, AuditTrail, Origin, Record, Target};
use keys::{BackupError, BackupInfo};
use ruma::{api::client::backup::BackupAlgorithm, serde::Raw};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use store::Intent;

use crate::{caller::Caller, error::ApiError};

/// The algorithm of a version with what it needs to know, as the client gave it.
pub(super) fn algorithm_of(info: &BackupInfo) -> Result<Raw<BackupAlgorithm>, ApiError> {
    #[derive(Serialize)]
    struct Algorithm<'a> {
        algorithm: &'a str,
        auth_data: &'a RawValue,
    }
    let algorithm = Algorithm {
        algorithm: &info.algorithm,
        auth_data: &info.auth_data,
    };
    let json = to_raw_value(&algorithm).map_err(ApiError::internal)?;
    Ok(Raw::from_json(json))
}

/// Adds the record of an act on the caller's backup to what is committed.
pub(super) fn add_record(intent: &mut Intent, act: Act, caller: &Caller, origin: Origin) {
    let actor = Actor::User {
        user_id: caller.user_id.to_string(),
        session: caller.device_id.as_ref().map(ToString::to_string),
    };
    let target = Target::User {
        user_id: caller.user_id.to_string(),
    };
    intent.add::<AuditTrail>(Record::new(act, actor).from(origin).on(target));
}

impl From<BackupError> for ApiError {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::NoSuchVersion | BackupError::NoSuchKey => Self::not_found(error),
            BackupError::WrongVersion { current } => Self::wrong_room_keys_version(current),
            BackupError::AlgorithmDiffers | BackupError::VersionDiffers => {
                Self::invalid_param(error)
            }
            BackupError::Malformed(_) => Self::bad_json(error),
            BackupError::Refused(_) | BackupError::Store(_) => Self::internal(error),
        }
    }
}

//! What the endpoints of key backups have in common.

use keys::{BackupError, BackupInfo};
use ruma::{api::client::backup::BackupAlgorithm, serde::Raw};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::error::ApiError;

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

impl From<BackupError> for ApiError {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::NoSuchVersion | BackupError::NoSuchKey => Self::not_found(error),
            BackupError::WrongVersion { current } => Self::wrong_room_keys_version(current),
            BackupError::AlgorithmDiffers | BackupError::VersionDiffers => {
                Self::invalid_param(error)
            }
            BackupError::Malformed(_) => Self::bad_json(error),
            BackupError::Full => Self::too_large(error),
            BackupError::Refused(refused) => Self::internal(refused.into_store()),
            BackupError::Store(error) => Self::internal(error),
        }
    }
}

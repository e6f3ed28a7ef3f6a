//! `DELETE /_matrix/client/v3/room_keys/version/{version}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3room_keysversionversion

use audit::Act;
use axum::extract::State;
use keys::Keys;
use ruma::api::client::backup::delete_backup_version;
use tracing::instrument;

use crate::{
    caller::Caller,
    error::ApiError,
    matrix::Matrix,
    origin::{CameFrom, add_record},
};

/// Deletes a backup version with all of its keys.
///
/// Deleting it twice succeeds: clients retry, and the outcome is the same.
#[instrument(name = "client.delete_backup_version", skip_all)]
pub(crate) async fn delete_version(
    State(keys): State<Keys>,
    CameFrom(origin): CameFrom,
    caller: Caller,
    Matrix(req): Matrix<delete_backup_version::v3::Request>,
) -> Result<Matrix<delete_backup_version::v3::Response>, ApiError> {
    let deleted = keys.delete_backup(&caller.user_id, &req.version, |intent| {
        add_record(intent, Act::BackupDeleted, &caller, &origin);
    });
    deleted.await?;
    Ok(Matrix(delete_backup_version::v3::Response::new()))
}

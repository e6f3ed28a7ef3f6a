//! `PUT /_matrix/client/v3/room_keys/version/{version}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3room_keysversionversion

use axum::extract::State;
use keys::Keys;
use ruma::api::client::backup::update_backup_version;
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Replaces the authentication data of a backup version; nothing else of it can change.
#[instrument(name = "client.update_backup_version", skip_all)]
pub(crate) async fn update_version(
    State(keys): State<Keys>,
    caller: Caller,
    Matrix(req): Matrix<update_backup_version::v3::Request>,
) -> Result<Matrix<update_backup_version::v3::Response>, ApiError> {
    keys.update_backup(&caller.user_id, &req.version, &req.algorithm)
        .await?;
    Ok(Matrix(update_backup_version::v3::Response::new()))
}

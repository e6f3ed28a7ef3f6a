//! `GET /_matrix/client/v3/room_keys/version/{version}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3room_keysversionversion

use axum::extract::State;
use keys::Keys;
use ruma::{UInt, api::client::backup::get_backup_info};
use tracing::instrument;

use crate::{backup::answers::algorithm_of, caller::Caller, error::ApiError, matrix::Matrix};

/// Describes a backup version.
#[instrument(name = "client.get_backup_version", skip_all)]
pub(crate) async fn get_version(
    State(keys): State<Keys>,
    caller: Caller,
    Matrix(req): Matrix<get_backup_info::v3::Request>,
) -> Result<Matrix<get_backup_info::v3::Response>, ApiError> {
    let info = keys
        .backup_info(&caller.user_id, Some(&req.version))
        .await?;
    Ok(Matrix(get_backup_info::v3::Response::new(
        algorithm_of(&info)?,
        UInt::new_saturating(info.state.count),
        info.state.etag,
        info.version,
    )))
}

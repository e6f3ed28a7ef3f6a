//! `GET /_matrix/client/v3/room_keys/version` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3room_keysversion

use axum::extract::State;
use keys::Keys;
use ruma::{UInt, api::client::backup::get_latest_backup_info};
use tracing::instrument;

use crate::{backup::answers::algorithm_of, caller::Caller, error::ApiError, matrix::Matrix};

/// Describes the current backup version.
#[instrument(name = "client.get_current_backup_version", skip_all)]
pub(crate) async fn get_current_version(
    State(keys): State<Keys>,
    caller: Caller,
    Matrix(_): Matrix<get_latest_backup_info::v3::Request>,
) -> Result<Matrix<get_latest_backup_info::v3::Response>, ApiError> {
    let info = keys.backup_info(&caller.user_id, None).await?;
    Ok(Matrix(get_latest_backup_info::v3::Response::new(
        algorithm_of(&info)?,
        UInt::new_saturating(info.state.count),
        info.state.etag,
        info.version,
    )))
}

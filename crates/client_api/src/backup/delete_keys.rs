//! `DELETE /_matrix/client/v3/room_keys/keys` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3room_keyskeys

use axum::extract::State;
use keys::{Keys, RoomKeysSelection};
use ruma::{UInt, api::client::backup::delete_backup_keys};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Deletes all keys of a backup version.
#[instrument(name = "client.delete_keys", skip_all)]
pub(crate) async fn delete_keys(
    State(keys): State<Keys>,
    caller: Caller,
    Matrix(req): Matrix<delete_backup_keys::v3::Request>,
) -> Result<Matrix<delete_backup_keys::v3::Response>, ApiError> {
    let selection = RoomKeysSelection::All;
    let state = keys
        .delete_room_keys(&caller.user_id, &req.version, &selection)
        .await?;
    Ok(Matrix(delete_backup_keys::v3::Response::new(
        state.etag,
        UInt::new_saturating(state.count),
    )))
}

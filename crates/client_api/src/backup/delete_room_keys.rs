//! `DELETE /_matrix/client/v3/room_keys/keys/{roomId}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3room_keyskeysroomid

use axum::extract::State;
use keys::{Keys, RoomKeysSelection};
use ruma::{UInt, api::client::backup::delete_backup_keys_for_room};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Deletes the keys of one room from a backup version.
#[instrument(name = "client.delete_room_keys", skip_all, fields(room.id = %req.room_id))]
pub(crate) async fn delete_room_keys(
    State(keys): State<Keys>,
    caller: Caller,
    Matrix(req): Matrix<delete_backup_keys_for_room::v3::Request>,
) -> Result<Matrix<delete_backup_keys_for_room::v3::Response>, ApiError> {
    let selection = RoomKeysSelection::Room(req.room_id.clone());
    let state = keys
        .delete_room_keys(&caller.user_id, &req.version, &selection)
        .await?;
    Ok(Matrix(delete_backup_keys_for_room::v3::Response::new(
        state.etag,
        UInt::new_saturating(state.count),
    )))
}

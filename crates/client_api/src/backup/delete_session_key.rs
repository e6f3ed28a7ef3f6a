//! `DELETE /_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3room_keyskeysroomidsessionid

use axum::extract::State;
use keys::{Keys, RoomKeysSelection};
use ruma::{UInt, api::client::backup::delete_backup_keys_for_session};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Deletes the key of one session from a backup version.
#[instrument(name = "client.delete_session_key", skip_all, fields(room.id = %req.room_id))]
pub(crate) async fn delete_session_key(
    State(keys): State<Keys>,
    caller: Caller,
    Matrix(req): Matrix<delete_backup_keys_for_session::v3::Request>,
) -> Result<Matrix<delete_backup_keys_for_session::v3::Response>, ApiError> {
    let selection = RoomKeysSelection::Session(req.room_id.clone(), req.session_id);
    let state = keys
        .delete_room_keys(&caller.user_id, &req.version, &selection)
        .await?;
    Ok(Matrix(delete_backup_keys_for_session::v3::Response::new(
        state.etag,
        UInt::new_saturating(state.count),
    )))
}

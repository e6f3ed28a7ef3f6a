//! `GET /_matrix/client/v3/room_keys/keys/{roomId}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3room_keyskeysroomid

use axum::extract::State;
use keys::{Keys, RoomKeysSelection};
use ruma::api::client::backup::get_backup_keys_for_room;
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Reads the keys of one room from a backup version; none is an answer too.
#[instrument(name = "client.get_room_keys", skip_all, fields(room.id = %req.room_id))]
pub(crate) async fn get_room_keys(
    State(keys): State<Keys>,
    caller: Caller,
    Matrix(req): Matrix<get_backup_keys_for_room::v3::Request>,
) -> Result<Matrix<get_backup_keys_for_room::v3::Response>, ApiError> {
    let selection = RoomKeysSelection::Room(req.room_id.clone());
    let found = keys
        .room_keys(&caller.user_id, &req.version, &selection)
        .await?;
    let sessions = found.into_values().flatten().collect();
    Ok(Matrix(get_backup_keys_for_room::v3::Response::new(
        sessions,
    )))
}

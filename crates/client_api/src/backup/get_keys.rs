//! `GET /_matrix/client/v3/room_keys/keys` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3room_keyskeys

use axum::extract::State;
use keys::{Keys, RoomKeysSelection};
use ruma::api::client::backup::{RoomKeyBackup, get_backup_keys};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Reads all keys of a backup version.
#[instrument(name = "client.get_keys", skip_all)]
pub(crate) async fn get_keys(
    State(keys): State<Keys>,
    caller: Caller,
    Matrix(req): Matrix<get_backup_keys::v3::Request>,
) -> Result<Matrix<get_backup_keys::v3::Response>, ApiError> {
    let found = keys
        .room_keys(&caller.user_id, &req.version, &RoomKeysSelection::All)
        .await?;
    let rooms = found.into_iter();
    let rooms = rooms.map(|(room, sessions)| (room, RoomKeyBackup::new(sessions)));
    Ok(Matrix(get_backup_keys::v3::Response::new(rooms.collect())))
}

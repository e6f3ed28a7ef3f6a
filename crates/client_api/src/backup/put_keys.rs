//! `PUT /_matrix/client/v3/room_keys/keys` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3room_keyskeys

use axum::extract::State;
use keys::Keys;
use ruma::{UInt, api::client::backup::add_backup_keys};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Puts the keys of many rooms into the current backup version, where they are better than
/// those that are there.
#[instrument(name = "client.put_keys", skip_all)]
pub(crate) async fn put_keys(
    State(keys): State<Keys>,
    caller: Caller,
    Matrix(req): Matrix<add_backup_keys::v3::Request>,
) -> Result<Matrix<add_backup_keys::v3::Response>, ApiError> {
    let rooms = req.rooms.into_iter();
    let rooms = rooms
        .map(|(room, backup)| (room, backup.sessions))
        .collect();
    let state = keys
        .put_room_keys(&caller.user_id, &req.version, &rooms)
        .await?;
    Ok(Matrix(add_backup_keys::v3::Response::new(
        state.etag,
        UInt::new_saturating(state.count),
    )))
}

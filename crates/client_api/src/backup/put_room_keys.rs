//! `PUT /_matrix/client/v3/room_keys/keys/{roomId}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3room_keyskeysroomid

use std::collections::BTreeMap;

use axum::extract::State;
use keys::Keys;
use ruma::{UInt, api::client::backup::add_backup_keys_for_room};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Puts the keys of one room into the current backup version, where they are better than
/// those that are there.
#[instrument(name = "client.put_room_keys", skip_all, fields(room.id = %req.room_id))]
pub(crate) async fn put_room_keys(
    State(keys): State<Keys>,
    caller: Caller,
    Matrix(req): Matrix<add_backup_keys_for_room::v3::Request>,
) -> Result<Matrix<add_backup_keys_for_room::v3::Response>, ApiError> {
    let rooms = BTreeMap::from([(req.room_id, req.sessions)]);
    let state = keys
        .put_room_keys(&caller.user_id, &req.version, &rooms)
        .await?;
    Ok(Matrix(add_backup_keys_for_room::v3::Response::new(
        state.etag,
        UInt::new_saturating(state.count),
    )))
}

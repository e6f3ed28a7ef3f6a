//! `PUT /_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3room_keyskeysroomidsessionid

use std::collections::BTreeMap;

use axum::extract::State;
use keys::Keys;
use ruma::{UInt, api::client::backup::add_backup_keys_for_session};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Puts the key of one session into the current backup version, if it is better than the one
/// that is there.
#[instrument(name = "client.put_session_key", skip_all, fields(room.id = %req.room_id))]
pub(crate) async fn put_session_key(
    State(keys): State<Keys>,
    caller: Caller,
    Matrix(req): Matrix<add_backup_keys_for_session::v3::Request>,
) -> Result<Matrix<add_backup_keys_for_session::v3::Response>, ApiError> {
    let sessions = BTreeMap::from([(req.session_id, req.session_data)]);
    let rooms = BTreeMap::from([(req.room_id, sessions)]);
    let state = keys
        .put_room_keys(&caller.user_id, &req.version, &rooms)
        .await?;
    Ok(Matrix(add_backup_keys_for_session::v3::Response::new(
        state.etag,
        UInt::new_saturating(state.count),
    )))
}

//! `GET /_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3room_keyskeysroomidsessionid

use axum::extract::State;
use keys::Keys;
use ruma::api::client::backup::get_backup_keys_for_session;
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Reads the key of one session from a backup version.
#[instrument(name = "client.get_session_key", skip_all, fields(room.id = %req.room_id))]
pub(crate) async fn get_session_key(
    State(keys): State<Keys>,
    caller: Caller,
    Matrix(req): Matrix<get_backup_keys_for_session::v3::Request>,
) -> Result<Matrix<get_backup_keys_for_session::v3::Response>, ApiError> {
    let key = keys.room_key(
        &caller.user_id,
        &req.version,
        req.room_id.clone(),
        &req.session_id,
    );
    Ok(Matrix(get_backup_keys_for_session::v3::Response::new(
        key.await?,
    )))
}

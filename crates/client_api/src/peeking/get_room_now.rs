//! `GET /_matrix/client/v3/rooms/{roomId}/initialSync` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidinitialsync

use axum::{Json, extract::State};
use ruma::api::client::peeking::get_current_state::v3::Request;
use sync::{RoomInfo, Sync};
use tracing::instrument;

use super::syncer;
use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Gives a room's state and newest events; who has left reads it as it was when they left.
#[instrument(name = "client.get_room_now", skip_all, fields(room.id = %req.room_id))]
pub(crate) async fn get_room_now(
    State(sync): State<Sync>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Json<RoomInfo>, ApiError> {
    let room = sync.room_now(syncer(&caller)?, &req.room_id).await?;
    Ok(Json(room))
}

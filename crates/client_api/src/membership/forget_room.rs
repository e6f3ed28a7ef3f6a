//! `POST /_matrix/client/v3/rooms/{roomId}/forget` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidforget

use axum::extract::State;
use rooms::Rooms;
use ruma::api::client::membership::forget_room::v3::{Request, Response};
use store::Log;
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Takes a room that the caller has left out of their lists, and its history out of their sight.
#[instrument(name = "client.forget_room", skip_all, fields(room.id = %req.room_id))]
pub(crate) async fn forget_room(
    State(rooms): State<Rooms>,
    State(log): State<Log>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    rooms.forget(&log, &req.room_id, &caller.user_id).await?;
    Ok(Matrix(Response::new()))
}

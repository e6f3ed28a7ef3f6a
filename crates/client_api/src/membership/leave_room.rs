//! `POST /_matrix/client/v3/rooms/{roomId}/leave` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidleave

use axum::extract::State;
use rooms::{MemberChange, Rooms};
use ruma::api::client::membership::leave_room::v3::{Request, Response};
use store::Log;
use tracing::instrument;

use crate::{
    caller::Caller,
    error::ApiError,
    matrix::{Matrix, MaybeBare},
};

/// Leaves a room, declines an invitation to it, or takes a knock back.
///
/// Leaving twice succeeds: clients retry, and the outcome is the same.
#[instrument(name = "client.leave_room", skip_all, fields(room.id = %req.room_id))]
pub(crate) async fn leave_room(
    State(rooms): State<Rooms>,
    State(log): State<Log>,
    caller: Caller,
    MaybeBare(req): MaybeBare<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let user_id = &caller.user_id;
    let (leave, reason) = (MemberChange::Leave, req.reason.as_deref());
    rooms
        .change_member(&log, &req.room_id, user_id, user_id, leave, reason)
        .await?;
    Ok(Matrix(Response::new()))
}

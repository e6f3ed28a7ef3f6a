//! `POST /_matrix/client/v3/rooms/{roomId}/unban` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidunban

use axum::extract::State;
use rooms::{MemberChange, Rooms};
use ruma::api::client::membership::unban_user::v3::{Request, Response};
use store::Log;
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix, refusals::to_outsiders};

/// Lifts a ban.
#[instrument(name = "client.unban_user", skip_all, fields(room.id = %req.room_id))]
pub(crate) async fn unban_user(
    State(rooms): State<Rooms>,
    State(log): State<Log>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let reason = req.reason.as_deref();
    rooms
        .change_member(
            &log,
            &req.room_id,
            &caller.user_id,
            &req.user_id,
            MemberChange::Unban,
            reason,
        )
        .await
        .map_err(to_outsiders)?;
    Ok(Matrix(Response::new()))
}

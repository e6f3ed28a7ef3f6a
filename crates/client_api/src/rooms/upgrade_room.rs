//! `POST /_matrix/client/v3/rooms/{roomId}/upgrade` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidupgrade

use accounts::Accounts;
use axum::extract::State;
use rooms::{Rooms, UpgradeRoom};
use ruma::api::client::room::upgrade_room::v3::{Request, Response};
use store::Log;
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix, people, refusals::to_outsiders};

/// Replaces a room by one of another version, with all that goes over, or does nothing.
#[instrument(name = "client.upgrade_room", skip_all, fields(room.id = %req.room_id))]
pub(crate) async fn upgrade_room(
    State(rooms): State<Rooms>,
    State(accounts): State<Accounts>,
    State(log): State<Log>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let upgrade = UpgradeRoom {
        room_id: req.room_id,
        profile: people::own(&accounts, &caller.user_id).await?,
        user_id: caller.user_id,
        version: req.new_version,
        additional_creators: req.additional_creators,
    };
    let successor = rooms.upgrade(&log, &upgrade).await;
    Ok(Matrix(Response::new(successor.map_err(to_outsiders)?)))
}

//! `POST /_matrix/client/v3/rooms/{roomId}/report` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidreport

use axum::extract::State;
use reports::{About, Reports};
use rooms::{Rooms, RoomsError, RoomsRefusal};
use ruma::api::client::room::report_room::v3::{Request, Response};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix, origin::CameFrom};

/// Reports a room, whether the caller is in it or not; whether it exists they do not learn.
#[instrument(name = "client.report_room", skip_all, fields(room.id = %req.room_id))]
pub(crate) async fn report_room(
    State(rooms): State<Rooms>,
    State(reports): State<Reports>,
    CameFrom(origin): CameFrom,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let exists = match rooms.room(&req.room_id).await {
        Ok(_) => true,
        Err(RoomsError::Refused(RoomsRefusal::NoSuchRoom(_))) => false,
        Err(error) => return Err(error.into()),
    };
    let (reporter, about) = ((caller.user, &*caller.user_id), About::Room(req.room_id));
    reports
        .report(reporter, about, exists, req.reason, origin)
        .await?;
    Ok(Matrix(Response::new()))
}

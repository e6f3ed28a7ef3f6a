//! `POST /_matrix/client/v3/rooms/{roomId}/report/{eventId}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidreporteventid

use axum::extract::State;
use reports::{About, Reports};
use rooms::{Rooms, RoomsError, RoomsRefusal};
use ruma::api::client::room::report_content::v3::{Request, Response};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix, origin::CameFrom};

/// Reports an event of a room that the caller is in.
///
/// Elsewhere there is no such event, whatever there is.
#[instrument(name = "client.report_event", skip_all, fields(room.id = %req.room_id))]
pub(crate) async fn report_event(
    State(rooms): State<Rooms>,
    State(reports): State<Reports>,
    CameFrom(origin): CameFrom,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let room = rooms.room(&req.room_id).await.map_err(hidden)?;
    if !room.state.is_joined(&caller.user_id) {
        return Err(nothing_there());
    }
    let event = rooms.visible_event(&req.room_id, &req.event_id, &caller.user_id);
    let event = event.await.map_err(hidden)?;
    let about = About::Event {
        event_id: req.event_id,
        room_id: req.room_id,
        sender: event.pdu.sender().to_owned(),
    };
    let (reporter, reason) = (
        (caller.user, &*caller.user_id),
        req.reason.unwrap_or_default(),
    );
    reports
        .report(reporter, about, true, reason, origin)
        .await?;
    Ok(Matrix(Response::new()))
}

fn hidden(error: RoomsError) -> ApiError {
    match error {
        RoomsError::Refused(RoomsRefusal::NoSuchRoom(_) | RoomsRefusal::NoSuchEvent) => {
            nothing_there()
        }
        other => other.into(),
    }
}

fn nothing_there() -> ApiError {
    ApiError::not_found("there is no such event, or you are not in its room")
}

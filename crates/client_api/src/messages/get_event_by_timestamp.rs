//! `GET /_matrix/client/v1/rooms/{roomId}/timestamp_to_event` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1roomsroomidtimestamp_to_event

use axum::extract::State;
use model::time::Timestamp;
use rooms::{Direction, Rooms};
use ruma::{
    MilliSecondsSinceUnixEpoch,
    api::{
        self,
        client::room::get_event_by_timestamp::v1::{Request, Response},
    },
};
use tracing::instrument;

use crate::{
    caller::Caller,
    error::ApiError,
    matrix::Matrix,
    refusals::{not_joined, to_outsiders},
};

/// Gives the event that the caller may see closest to a moment, in one direction from it.
#[instrument(name = "client.get_event_by_timestamp", skip_all, fields(room.id = %req.room_id))]
pub(crate) async fn get_event_by_timestamp(
    State(rooms): State<Rooms>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let room = rooms.room(&req.room_id).await.map_err(to_outsiders)?;
    let snapshot = rooms.snapshot().await.map_err(ApiError::internal)?;
    let history = rooms.history(&snapshot, &room, &caller.user_id).await;
    let history = history.map_err(ApiError::internal)?;
    if !history.is_known() && !history.is_world_readable_now() {
        return Err(not_joined());
    }
    let (direction, name) = match req.dir {
        api::Direction::Forward => (Direction::Forward, "at or after"),
        api::Direction::Backward => (Direction::Backward, "at or before"),
    };
    let moment = Timestamp::from_millis(req.ts.get().into());
    let event = rooms
        .event_at(&snapshot, &room, &history, moment, direction)
        .await
        .map_err(ApiError::internal)?;
    let none = || ApiError::not_found(format_args!("there is no event {name} that moment"));
    let event = event.ok_or_else(none)?;
    let sent = event.pdu.origin_server_ts().as_millis();
    let sent = sent.try_into().map_err(ApiError::internal)?;
    let event_id = event.pdu.event_id().to_owned();
    Ok(Matrix(Response::new(
        event_id,
        MilliSecondsSinceUnixEpoch(sent),
    )))
}

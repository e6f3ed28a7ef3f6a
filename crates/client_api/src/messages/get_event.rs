//! `GET /_matrix/client/v3/rooms/{roomId}/event/{eventId}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomideventeventid

use std::sync::Arc;

use axum::extract::State;
use model::time::Clock;
use rooms::Rooms;
use ruma::api::client::room::get_room_event::v3::{Request, Response};
use tracing::instrument;

use super::hidden;
use crate::{caller::Caller, error::ApiError, events::RoomView, matrix::Matrix};

/// Gives one event; what the caller may not see is answered like what is not there.
#[instrument(name = "client.get_event", skip_all, fields(room.id = %req.room_id))]
pub(crate) async fn get_event(
    State(rooms): State<Rooms>,
    State(clock): State<Arc<dyn Clock>>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let view = RoomView::open(&rooms, &*clock, &caller, &req.room_id).await;
    let view = view.map_err(hidden)?;
    let event = view.visible(&req.event_id).await?;
    let event = view.event(&event).await.map_err(ApiError::internal)?;
    Ok(Matrix(Response::new(event)))
}

//! `GET /_matrix/client/v3/rooms/{roomId}/state` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidstate

use std::sync::Arc;

use axum::extract::State;
use model::time::Clock;
use rooms::Rooms;
use ruma::api::client::state::get_state_events::v3::{Request, Response};
use tracing::instrument;

use crate::{
    caller::Caller,
    error::ApiError,
    events::RoomView,
    matrix::Matrix,
    refusals::{not_joined, to_outsiders},
};

/// Gives the whole state of a room; who has left reads it as it was when they left.
#[instrument(name = "client.get_state", skip_all, fields(room.id = %req.room_id))]
pub(crate) async fn get_state(
    State(rooms): State<Rooms>,
    State(clock): State<Arc<dyn Clock>>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let view = RoomView::open(&rooms, &*clock, &caller, &req.room_id).await;
    let view = view.map_err(to_outsiders)?;
    let before = view.history.state_before().ok_or_else(not_joined)?;
    let state = view
        .state_before(before)
        .await
        .map_err(ApiError::internal)?;
    let state = state.iter().map(|event| view.state(event));
    Ok(Matrix(Response::new(state.collect())))
}

//! `GET /_matrix/client/v3/rooms/{roomId}/aliases` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidaliases

use std::sync::Arc;

use axum::extract::State;
use model::time::Clock;
use rooms::Rooms;
use ruma::api::client::room::aliases::v3::{Request, Response};
use tracing::instrument;

use crate::{
    caller::Caller,
    error::ApiError,
    events::RoomView,
    matrix::Matrix,
    refusals::{not_joined, to_outsiders},
};

/// Lists the aliases of a room that the caller is in, or that everybody may read.
#[instrument(name = "client.room_aliases", skip_all, fields(room.id = %req.room_id))]
pub(crate) async fn room_aliases(
    State(rooms): State<Rooms>,
    State(clock): State<Arc<dyn Clock>>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let view = RoomView::open(&rooms, &*clock, &caller, &req.room_id).await;
    let view = view.map_err(to_outsiders)?;
    // The aliases are those of now, so who has left is not told them.
    if !view.room.state.is_joined(&caller.user_id) && !view.history.is_world_readable_now() {
        return Err(not_joined());
    }
    Ok(Matrix(Response::new(rooms.aliases_of(&req.room_id).await?)))
}

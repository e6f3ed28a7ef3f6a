//! `GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}/{relType}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1roomsroomidrelationseventidreltype

use std::sync::Arc;

use axum::extract::State;
use model::time::Clock;
use rooms::Rooms;
use ruma::api::client::relations::get_relating_events_with_rel_type::v1::{Request, Response};
use tracing::instrument;

use super::{Asked, find};
use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Gives the events that relate to one in one way.
#[instrument(name = "client.get_relating_events_with_rel_type", skip_all, fields(room.id = %req.room_id))]
pub(crate) async fn get_relating_events_with_rel_type(
    State(rooms): State<Rooms>,
    State(clock): State<Arc<dyn Clock>>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let asked = Asked {
        room_id: &req.room_id,
        event_id: &req.event_id,
        rel_type: Some(req.rel_type.as_str()),
        event_type: None,
        from: req.from.as_deref(),
        to: req.to.as_deref(),
        limit: req.limit,
        dir: req.dir,
        recurse: req.recurse,
    };
    let found = find(&rooms, &*clock, &caller, &asked).await?;
    let mut response = Response::new(found.chunk);
    response.next_batch = found.next_batch;
    response.prev_batch = found.prev_batch;
    response.recursion_depth = found.recursion_depth;
    Ok(Matrix(response))
}

//! `GET /_matrix/client/v3/rooms/{roomId}/messages` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidmessages

use std::sync::Arc;

use accounts::Accounts;
use axum::extract::State;
use model::time::Clock;
use rooms::{Direction, PageRequest, Rooms};
use ruma::api::{
    self,
    client::message::get_message_events::v3::{Request, Response},
};
use sync::Boundary;
use tracing::instrument;

use super::{boundary, compiled, ord_in, page_length};
use crate::{
    caller::Caller,
    error::ApiError,
    events::RoomView,
    matrix::Matrix,
    refusals::{not_joined, to_outsiders},
};

/// Gives a page of a room's timeline, in either direction, as far as the caller may see it, without
/// the messages of whom they ignore.
#[instrument(name = "client.get_messages", skip_all, fields(room.id = %req.room_id))]
pub(crate) async fn get_messages(
    State(rooms): State<Rooms>,
    State(accounts): State<Accounts>,
    State(clock): State<Arc<dyn Clock>>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let filter = compiled(&req.filter)?;
    let from = boundary("from", req.from.as_deref())?;
    let to = boundary("to", req.to.as_deref())?;
    let view = RoomView::open(&rooms, &*clock, &caller, &req.room_id).await;
    let view = view.map_err(to_outsiders)?;
    if !view.history.is_known() && !view.history.is_world_readable_now() {
        return Err(not_joined());
    }
    let from = ord_in(&view.snapshot, from).await?;
    let to = ord_in(&view.snapshot, to).await?;
    let (direction, end) = match req.dir {
        api::Direction::Backward => (
            Direction::Backward,
            view.snapshot.head().get().saturating_add(1),
        ),
        // Before everything, what was imported included.
        api::Direction::Forward => (Direction::Forward, i64::MIN),
    };
    let from = from.unwrap_or(end);
    let ignored = accounts.ignored_users(caller.user).await;
    let ignored = ignored.map_err(ApiError::internal)?;
    let request = PageRequest {
        from,
        to,
        direction,
        limit: page_length(req.limit),
        filter: &filter,
        ignored: &ignored,
        unbroken: false,
    };
    let page = rooms
        .page(&view.snapshot, &view.room, &view.history, &request)
        .await
        .map_err(ApiError::internal)?;
    let mut response = Response::new();
    let boundary = |ord| Boundary::new(&view.snapshot, ord);
    response.start = boundary(from).to_string();
    // Without an end there is nothing more; what lies beyond `to` was only not asked for.
    let next = page.next.or(to);
    response.end = next.map(|ord| boundary(ord).to_string());
    if filter.lazy_load_members {
        let senders = view.senders(&page.events).await;
        response.state = senders.map_err(ApiError::internal)?;
    }
    response.chunk = view.timeline(&page.events).await?;
    Ok(Matrix(response))
}

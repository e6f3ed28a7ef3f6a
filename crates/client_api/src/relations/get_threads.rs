//! `GET /_matrix/client/v1/rooms/{roomId}/threads` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1roomsroomidthreads

use std::sync::Arc;

use axum::extract::State;
use model::time::Clock;
use rooms::{Rooms, ThreadsRequest};
use ruma::api::client::threads::get_threads::v1::{IncludeThreads, Request, Response};
use sync::Boundary;
use tracing::instrument;

use super::DEFAULT_PAGE;
use crate::{
    caller::Caller,
    error::ApiError,
    events::RoomView,
    matrix::Matrix,
    messages::{boundary, ord_in, page_length},
    refusals::{not_joined, to_outsiders},
};

/// The most threads of one page: each is told with its last event.
const LONGEST_PAGE: usize = 100;

/// Gives the first events of a room's threads, the thread in which something was said last first.
#[instrument(name = "client.get_threads", skip_all, fields(room.id = %req.room_id))]
pub(crate) async fn get_threads(
    State(rooms): State<Rooms>,
    State(clock): State<Arc<dyn Clock>>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let from = boundary("from", req.from.as_deref())?;
    let participated = match req.include {
        IncludeThreads::All => false,
        IncludeThreads::Participated => true,
        other => {
            let sentence = format!("include: neither all nor participated: {other}");
            return Err(ApiError::invalid_param(sentence));
        }
    };
    if req.limit.is_some_and(|limit| limit == 0_u32.into()) {
        return Err(ApiError::invalid_param("limit: not greater than zero"));
    }
    let view = RoomView::open(&rooms, &*clock, &caller, &req.room_id).await;
    let view = view.map_err(to_outsiders)?;
    if !view.history.is_known() && !view.history.is_world_readable_now() {
        return Err(not_joined());
    }
    let request = ThreadsRequest {
        from: ord_in(&view.snapshot, from).await?.unwrap_or(i64::MAX),
        participated,
        limit: page_length(req.limit.unwrap_or(DEFAULT_PAGE.into())).min(LONGEST_PAGE),
    };
    let reader = (caller.user, &*view.history);
    let page = rooms.threads(&view.snapshot, &view.room, reader, &request);
    let page = page.await.map_err(ApiError::internal)?;
    let mut response = Response::new(view.timeline(&page.events).await?);
    let token = |ord| Boundary::new(&view.snapshot, ord).to_string();
    response.next_batch = page.next.map(token);
    Ok(Matrix(response))
}

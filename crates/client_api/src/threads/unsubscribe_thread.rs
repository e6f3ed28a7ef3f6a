//! `DELETE /_matrix/client/unstable/io.element.msc4306/rooms/{roomId}/thread/{threadRoot}/subscription`
//! ([MSC4306])
//!
//! [MSC4306]: https://github.com/matrix-org/matrix-spec-proposals/pull/4306

use axum::extract::State;
use rooms::Rooms;
use ruma::api::client::threads::unsubscribe_thread::unstable::{Request, Response};
use store::Log;
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Lets the caller follow a thread no longer. Leaving twice succeeds, and changes nothing.
#[instrument(name = "client.unsubscribe_thread", skip_all, fields(room.id = %req.room_id))]
pub(crate) async fn unsubscribe_thread(
    State(rooms): State<Rooms>,
    State(log): State<Log>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let thread = (&*req.room_id, &*req.thread_root);
    rooms.leave_thread(&log, thread, &caller.user_id).await?;
    Ok(Matrix(Response::new()))
}

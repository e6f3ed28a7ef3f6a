//! `PUT /_matrix/client/unstable/io.element.msc4306/rooms/{roomId}/thread/{threadRoot}/subscription`
//! ([MSC4306])
//!
//! [MSC4306]: https://github.com/matrix-org/matrix-spec-proposals/pull/4306

use axum::extract::State;
use rooms::Rooms;
use ruma::api::client::threads::subscribe_thread::unstable::{Request, Response};
use store::Log;
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Lets the caller follow a thread, by their own choice or because of an event in it.
///
/// A client that follows by itself does not overrule its user: who has left the thread after that
/// event does not follow it again.
#[instrument(name = "client.subscribe_thread", skip_all, fields(room.id = %req.room_id))]
pub(crate) async fn subscribe_thread(
    State(rooms): State<Rooms>,
    State(log): State<Log>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let thread = (&*req.room_id, &*req.thread_root);
    let cause = req.automatic.as_deref();
    rooms
        .follow_thread(&log, thread, &caller.user_id, cause)
        .await?;
    Ok(Matrix(Response::new()))
}

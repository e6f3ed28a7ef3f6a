//! `GET /_matrix/client/unstable/io.element.msc4306/rooms/{roomId}/thread/{threadRoot}/subscription`
//! ([MSC4306])
//!
//! [MSC4306]: https://github.com/matrix-org/matrix-spec-proposals/pull/4306

use axum::extract::State;
use rooms::Rooms;
use ruma::api::client::threads::get_thread_subscription::unstable::{Request, Response};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Tells whether the caller follows a thread by their own choice, or because their client did.
#[instrument(name = "client.get_thread_subscription", skip_all, fields(room.id = %req.room_id))]
pub(crate) async fn get_thread_subscription(
    State(rooms): State<Rooms>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let thread = (&*req.room_id, &*req.thread_root);
    let user = (caller.user, &*caller.user_id);
    let automatic = rooms.thread_subscription(thread, user).await?;
    let automatic =
        automatic.ok_or_else(|| ApiError::not_found("you do not follow this thread"))?;
    Ok(Matrix(Response::new(automatic)))
}

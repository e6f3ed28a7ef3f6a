//! `GET /_matrix/client/unstable/org.matrix.msc4140/delayed_events/{delayId}` ([MSC4140])
//!
//! [MSC4140]: https://github.com/matrix-org/matrix-spec-proposals/pull/4140

use axum::extract::State;
use rooms::Rooms;
use ruma::api::client::delayed_events::get_delayed_event::unstable::{Request, Response};
use tracing::instrument;

use super::told;
use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Tells of one of the caller's delayed events, for a week also what became of it.
#[instrument(name = "client.get_delayed_event", skip_all)]
pub(crate) async fn get_delayed_event(
    State(rooms): State<Rooms>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let event = rooms.delayed_event(caller.user, &req.delay_id).await?;
    Ok(Matrix(Response::new(told(event)?)))
}

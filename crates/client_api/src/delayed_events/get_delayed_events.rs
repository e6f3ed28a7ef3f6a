//! `GET /_matrix/client/unstable/org.matrix.msc4140/delayed_events` ([MSC4140])
//!
//! [MSC4140]: https://github.com/matrix-org/matrix-spec-proposals/pull/4140

use axum::extract::State;
use rooms::Rooms;
use ruma::api::client::delayed_events::get_all_delayed_events::unstable::{Request, Response};
use tracing::instrument;

use super::told;
use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Lists what the caller has scheduled, in the order in which it will be sent.
#[instrument(name = "client.get_delayed_events", skip_all)]
pub(crate) async fn get_delayed_events(
    State(rooms): State<Rooms>,
    caller: Caller,
    Matrix(_): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let events = rooms.scheduled_events(caller.user).await;
    let events = events.map_err(ApiError::internal)?.into_iter();
    let told = events.map(told).collect::<Result<_, _>>()?;
    Ok(Matrix(Response::new(told)))
}

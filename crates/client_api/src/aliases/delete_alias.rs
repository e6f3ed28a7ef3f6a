//! `DELETE /_matrix/client/v3/directory/room/{roomAlias}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3directoryroomroomalias

use axum::extract::State;
use rooms::Rooms;
use ruma::api::client::alias::delete_alias::v3::{Request, Response};
use store::Log;
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Removes an alias: whoever made it may, whoever may set the room's canonical alias, and an
/// application service that claims it.
#[instrument(name = "client.delete_alias", skip_all)]
pub(crate) async fn delete_alias(
    State(rooms): State<Rooms>,
    State(log): State<Log>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let appservice = caller.appservice.as_ref();
    let is_theirs = appservice.is_some_and(|service| service.claims_alias(&req.room_alias));
    let user_id = (!is_theirs).then_some(caller.user_id);
    rooms.remove_alias(&log, req.room_alias, user_id).await?;
    Ok(Matrix(Response::new()))
}

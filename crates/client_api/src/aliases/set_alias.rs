//! `PUT /_matrix/client/v3/directory/room/{roomAlias}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3directoryroomroomalias

use appservices::Appservices;
use axum::extract::State;
use http::StatusCode;
use model::ids::new_room_alias;
use rooms::{Rooms, RoomsError, RoomsRefusal};
use ruma::api::{
    client::alias::create_alias::v3::{Request, Response},
    error::ErrorKind,
};
use store::Log;
use tracing::instrument;

use super::check_claims;
use crate::{caller::Caller, error::ApiError, matrix::Matrix, refusals::to_outsiders};

/// Points a new alias at a room that the caller is in.
#[instrument(name = "client.set_alias", skip_all, fields(room.id = %req.room_id))]
pub(crate) async fn set_alias(
    State(rooms): State<Rooms>,
    State(log): State<Log>,
    State(appservices): State<Appservices>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    new_room_alias(req.room_alias.alias(), req.room_alias.server_name())?;
    check_claims(&appservices, &caller, &req.room_alias)?;
    rooms
        .set_alias(&log, req.room_alias, &req.room_id, caller.user_id)
        .await
        .map_err(refusal)?;
    Ok(Matrix(Response::new()))
}

fn refusal(error: RoomsError) -> ApiError {
    match error {
        RoomsError::Refused(refusal @ RoomsRefusal::AliasTaken(_)) => {
            ApiError::new(StatusCode::CONFLICT, ErrorKind::Unknown, refusal)
        }
        other => to_outsiders(other),
    }
}

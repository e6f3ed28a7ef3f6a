//! `PUT /_matrix/client/v3/directory/list/room/{roomId}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3directorylistroomroomid

use axum::extract::State;
use rooms::Rooms;
use ruma::api::client::{
    directory::set_room_visibility::v3::{Request, Response},
    room::Visibility,
};
use store::Log;
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Shows a room in the public directory, or no longer; who may set its canonical alias may.
#[instrument(name = "client.set_visibility", skip_all, fields(room.id = %req.room_id))]
pub(crate) async fn set_visibility(
    State(rooms): State<Rooms>,
    State(log): State<Log>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let published = match req.visibility {
        Visibility::Public => true,
        Visibility::Private => false,
        other => {
            let sentence = format!("visibility: {other} is neither public nor private");
            return Err(ApiError::bad_json(sentence));
        }
    };
    rooms
        .publish(&log, &req.room_id, published, &caller.user_id)
        .await?;
    Ok(Matrix(Response::new()))
}

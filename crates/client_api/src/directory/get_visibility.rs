//! `GET /_matrix/client/v3/directory/list/room/{roomId}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3directorylistroomroomid

use axum::extract::State;
use rooms::Rooms;
use ruma::api::client::{
    directory::get_room_visibility::v3::{Request, Response},
    room::Visibility,
};
use tracing::instrument;

use crate::{error::ApiError, matrix::Matrix};

/// Tells whether the public directory shows a room.
#[instrument(name = "client.get_visibility", skip_all, fields(room.id = %req.room_id))]
pub(crate) async fn get_visibility(
    State(rooms): State<Rooms>,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let visibility = match rooms.room(&req.room_id).await?.published {
        true => Visibility::Public,
        false => Visibility::Private,
    };
    Ok(Matrix(Response::new(visibility)))
}

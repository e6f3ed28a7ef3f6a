//! `GET /_matrix/client/v3/joined_rooms` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3joined_rooms

use axum::extract::State;
use rooms::Rooms;
use ruma::api::client::membership::joined_rooms::v3::{Request, Response};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Lists the rooms that the caller is in.
#[instrument(name = "client.joined_rooms", skip_all, fields(user.id = %caller.user_id))]
pub(crate) async fn joined_rooms(
    State(rooms): State<Rooms>,
    caller: Caller,
    Matrix(_): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let snapshot = rooms.snapshot().await.map_err(ApiError::internal)?;
    let joined = rooms.joined_rooms(&snapshot, caller.user).await;
    Ok(Matrix(Response::new(joined.map_err(ApiError::internal)?)))
}

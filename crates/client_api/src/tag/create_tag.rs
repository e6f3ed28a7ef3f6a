//! `PUT /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags/{tag}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3useruseridroomsroomidtagstag

use accounts::Accounts;
use axum::extract::State;
use ruma::api::client::tag::create_tag::v3::{Request, Response};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Puts a tag on a room, or changes what is told of it.
#[instrument(name = "client.create_tag", skip_all)]
pub(crate) async fn create_tag(
    State(accounts): State<Accounts>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    caller.check_is(&req.user_id)?;
    let info = serde_json::to_value(&req.tag_info).map_err(ApiError::internal)?;
    accounts
        .set_tag(caller.user, &req.room_id, &req.tag, info)
        .await?;
    Ok(Matrix(Response::new()))
}

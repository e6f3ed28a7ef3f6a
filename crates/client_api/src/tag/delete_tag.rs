//! `DELETE /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags/{tag}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3useruseridroomsroomidtagstag

use accounts::Accounts;
use axum::extract::State;
use ruma::api::client::tag::delete_tag::v3::{Request, Response};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Takes a tag from a room; succeeds when it is not there.
#[instrument(name = "client.delete_tag", skip_all)]
pub(crate) async fn delete_tag(
    State(accounts): State<Accounts>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    caller.check_is(&req.user_id)?;
    accounts
        .remove_tag(caller.user, &req.room_id, &req.tag)
        .await?;
    Ok(Matrix(Response::new()))
}

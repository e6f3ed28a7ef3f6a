//! `GET /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3useruseridroomsroomidtags

use accounts::{Accounts, tags::Tags};
use axum::{Json, extract::State};
use ruma::api::client::tag::get_tags::v3::Request;
use serde::Serialize;
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// The answer; what a client told of a tag is given back as it was told.
#[derive(Serialize)]
pub(crate) struct Answer {
    tags: Tags,
}

/// Lists the caller's tags on a room.
#[instrument(name = "client.get_tags", skip_all)]
pub(crate) async fn get_tags(
    State(accounts): State<Accounts>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Json<Answer>, ApiError> {
    caller.check_is(&req.user_id)?;
    let tags = accounts.tags(caller.user, &req.room_id).await;
    let tags = tags.map_err(ApiError::internal)?;
    Ok(Json(Answer { tags }))
}

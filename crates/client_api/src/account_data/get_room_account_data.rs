//! `GET /_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3useruseridroomsroomidaccount_datatype

use accounts::Accounts;
use axum::extract::State;
use ruma::{
    api::client::config::get_room_account_data::v3::{Request, Response},
    serde::Raw,
};
use tracing::instrument;

use super::not_set;
use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Shows an entry of the caller's account data for a room.
#[instrument(name = "client.get_room_account_data", skip_all)]
pub(crate) async fn get_room_account_data(
    State(accounts): State<Accounts>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    caller.check_is(&req.user_id)?;
    let kind = req.event_type.to_string();
    let content = accounts
        .account_data(caller.user, Some(&req.room_id), &kind)
        .await
        .map_err(ApiError::internal)?
        .ok_or_else(not_set)?;
    Ok(Matrix(Response::new(Raw::from_json(content))))
}

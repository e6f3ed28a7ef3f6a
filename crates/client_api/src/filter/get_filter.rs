//! `GET /_matrix/client/v3/user/{userId}/filter/{filterId}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3useruseridfilterfilterid

use accounts::Accounts;
use axum::{Json, extract::State};
use ruma::api::client::filter::get_filter::v3::Request;
use serde_json::value::RawValue;
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Shows a filter of the caller.
#[instrument(name = "client.get_filter", skip_all)]
pub(crate) async fn get_filter(
    State(accounts): State<Accounts>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Json<Box<RawValue>>, ApiError> {
    caller.check_is(&req.user_id)?;
    let filter = accounts.filter(caller.user, &req.filter_id).await;
    let filter = filter.map_err(ApiError::internal)?;
    let filter = filter.ok_or_else(|| ApiError::not_found("there is no such filter"))?;
    Ok(Json(filter))
}

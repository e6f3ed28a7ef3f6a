//! `PUT /_matrix/client/v3/user/{userId}/account_data/{type}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3useruseridaccount_datatype

use accounts::Accounts;
use axum::extract::State;
use ruma::api::client::config::set_global_account_data::v3::{Request, Response};
use tracing::instrument;

use super::check_kind;
use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Replaces an entry of the caller's global account data.
#[instrument(name = "client.set_global_account_data", skip_all)]
pub(crate) async fn set_global_account_data(
    State(accounts): State<Accounts>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    caller.check_is(&req.user_id)?;
    let kind = req.event_type.to_string();
    check_kind(&kind)?;
    accounts
        .set_account_data(caller.user, None, &kind, req.data.json())
        .await?;
    Ok(Matrix(Response::new()))
}

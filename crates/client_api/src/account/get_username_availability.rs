//! `GET /_matrix/client/v3/register/available` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3registeravailable

use accounts::Accounts;
use axum::extract::State;
use ruma::api::client::account::get_username_availability::v3::{Request, Response};
use tracing::instrument;

use crate::{error::ApiError, matrix::Matrix};

/// Tells whether a user name is free.
#[instrument(name = "client.get_username_availability", skip_all)]
pub(crate) async fn get_username_availability(
    State(accounts): State<Accounts>,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    accounts.check_available(&req.username).await?;
    Ok(Matrix(Response::new(true)))
}

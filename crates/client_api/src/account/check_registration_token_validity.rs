//! `GET /_matrix/client/v1/register/m.login.registration_token/validity` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1registermloginregistration_tokenvalidity

use accounts::Accounts;
use axum::extract::State;
use ruma::api::client::account::check_registration_token_validity::v1::{Request, Response};
use tracing::instrument;

use crate::{error::ApiError, matrix::Matrix};

/// Tells whether one could register with a token now.
#[instrument(name = "client.check_registration_token_validity", skip_all)]
pub(crate) async fn check_registration_token_validity(
    State(accounts): State<Accounts>,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let valid = accounts.is_registration_token_valid(&req.token).await;
    Ok(Matrix(Response::new(valid.map_err(ApiError::internal)?)))
}

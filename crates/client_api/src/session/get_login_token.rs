//! `POST /_matrix/client/v1/login/get_token` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv1loginget_token

use accounts::{Accounts, LOGIN_TOKEN_LIFETIME, Operation};
use axum::extract::State;
use ruma::api::client::session::get_login_token;
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix, session::owner_proof::OwnerProof};

/// Makes a token with which the caller can sign in on another device.
#[instrument(name = "client.get_login_token", skip_all)]
pub(crate) async fn get_login_token(
    State(accounts): State<Accounts>,
    proof: OwnerProof,
    caller: Caller,
    Matrix(req): Matrix<get_login_token::v1::Request>,
) -> Result<Matrix<get_login_token::v1::Response>, ApiError> {
    let by = proof
        .demand(Operation::MakeLoginToken, &caller, req.auth.as_ref())
        .await?;
    let token = accounts.make_login_token(caller.user, by).await?;
    let response = get_login_token::v1::Response::new(LOGIN_TOKEN_LIFETIME, token);
    Ok(Matrix(response))
}

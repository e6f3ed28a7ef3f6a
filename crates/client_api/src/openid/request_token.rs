//! `POST /_matrix/client/v3/user/{userId}/openid/request_token` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3useruseridopenidrequest_token

use accounts::{Accounts, OPENID_TOKEN_LIFETIME, OpenidError};
use axum::extract::State;
use ruma::{
    api::client::account::request_openid_token::v3::{Request, Response},
    authentication::TokenType,
};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Makes a token that tells another service who the caller is, for an hour, and opens nothing.
#[instrument(name = "client.request_openid_token", skip_all)]
pub(crate) async fn request_token(
    State(accounts): State<Accounts>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    caller.check_is(&req.user_id)?;
    let token = accounts.make_openid_token(caller.user).await?;
    Ok(Matrix(Response::new(
        token,
        TokenType::Bearer,
        accounts.server_name().to_owned(),
        OPENID_TOKEN_LIFETIME,
    )))
}

impl From<OpenidError> for ApiError {
    fn from(error: OpenidError) -> Self {
        match error {
            OpenidError::NoSuchUser => Self::user_deactivated(),
            OpenidError::Locked => Self::user_locked(),
            OpenidError::Store(error) => Self::internal(error),
        }
    }
}

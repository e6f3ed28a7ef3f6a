//! `POST /_matrix/client/v3/refresh` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3refresh

use accounts::{Accounts, By, RefreshError};
use axum::extract::State;
use ruma::api::client::session::refresh_token;
use tracing::instrument;

use crate::{error::ApiError, matrix::Matrix, origin::CameFrom};

/// Hands out the next access token of a session.
#[instrument(name = "client.refresh_token", skip_all)]
pub(crate) async fn refresh_token(
    State(accounts): State<Accounts>,
    CameFrom(origin): CameFrom,
    Matrix(req): Matrix<refresh_token::v3::Request>,
) -> Result<Matrix<refresh_token::v3::Response>, ApiError> {
    let refreshed = accounts
        .refresh(&req.refresh_token, By::anonymous(origin))
        .await?;
    let mut response = refresh_token::v3::Response::new(refreshed.access_token);
    response.refresh_token = Some(refreshed.refresh_token);
    response.expires_in_ms = Some(refreshed.expires_in);
    Ok(Matrix(response))
}

impl From<RefreshError> for ApiError {
    fn from(error: RefreshError) -> Self {
        match error {
            RefreshError::Unknown => Self::unknown_refresh_token(error),
            RefreshError::Locked => Self::user_locked(),
            RefreshError::Lost => Self::lost_session(error),
            RefreshError::Store(error) => Self::internal(error),
        }
    }
}

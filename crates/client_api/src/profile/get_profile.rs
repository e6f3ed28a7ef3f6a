//! `GET /_matrix/client/v3/profile/{userId}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3profileuserid

use accounts::Accounts;
use axum::extract::State;
use ruma::api::client::profile::get_profile::v3::{Request, Response};
use tracing::instrument;

use crate::{error::ApiError, matrix::Matrix};

/// Shows a person's profile.
#[instrument(name = "client.get_profile", skip_all)]
pub(crate) async fn get_profile(
    State(accounts): State<Accounts>,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let profile = accounts.profile(&req.user_id).await;
    let profile = profile.map_err(ApiError::internal)?;
    let profile = profile.ok_or_else(|| ApiError::not_found("there is no such user"))?;
    Ok(Matrix(profile.into_iter().collect()))
}

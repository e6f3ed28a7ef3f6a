//! `POST /_matrix/client/v3/logout` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3logout

use accounts::By;
use axum::extract::State;
use lifecycle::Lifecycle;
use ruma::api::client::session::logout;
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix, origin::CameFrom};

/// Ends the caller's session; its device goes with it.
#[instrument(name = "client.logout", skip_all)]
pub(crate) async fn logout(
    State(lifecycle): State<Lifecycle>,
    CameFrom(origin): CameFrom,
    caller: Caller,
    Matrix(_): Matrix<logout::v3::Request>,
) -> Result<Matrix<logout::v3::Response>, ApiError> {
    let session = caller.session()?;
    lifecycle
        .sign_out(&session, &By::session(&session, origin))
        .await
        .map_err(ApiError::internal)?;
    Ok(Matrix(logout::v3::Response::new()))
}

//! `POST /_matrix/client/v3/logout/all` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3logoutall

use accounts::By;
use axum::extract::State;
use lifecycle::Lifecycle;
use ruma::api::client::session::logout_all;
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix, origin::CameFrom};

/// Ends all sessions of the caller; their devices go with them.
#[instrument(name = "client.logout_all", skip_all)]
pub(crate) async fn logout_all(
    State(lifecycle): State<Lifecycle>,
    CameFrom(origin): CameFrom,
    caller: Caller,
    Matrix(_): Matrix<logout_all::v3::Request>,
) -> Result<Matrix<logout_all::v3::Response>, ApiError> {
    let session = caller.session()?;
    lifecycle
        .sign_out_everywhere(
            (caller.user, &caller.user_id),
            None,
            &By::session(&session, origin),
        )
        .await
        .map_err(ApiError::internal)?;
    Ok(Matrix(logout_all::v3::Response::new()))
}

//! `POST /_matrix/client/v3/keys/claim` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysclaim

use axum::extract::State;
use keys::{ClaimError, Keys};
use ruma::api::client::keys::claim_keys;
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Claims one-time keys, to begin encrypted sessions with other devices.
///
/// Devices without keys, and those that do not exist, are absent from the answer.
#[instrument(name = "client.claim_keys", skip_all)]
pub(crate) async fn claim_keys(
    State(keys): State<Keys>,
    _caller: Caller,
    Matrix(req): Matrix<claim_keys::v3::Request>,
) -> Result<Matrix<claim_keys::v3::Response>, ApiError> {
    let claimed = keys.claim_keys(&req.one_time_keys).await?;
    Ok(Matrix(claim_keys::v3::Response::new(claimed)))
}

impl From<ClaimError> for ApiError {
    fn from(error: ClaimError) -> Self {
        match error {
            ClaimError::Store(_) => Self::internal(error),
        }
    }
}

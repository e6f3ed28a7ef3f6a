//! `POST /_matrix/client/v3/account/deactivate` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountdeactivate

use accounts::Operation;
use axum::extract::State;
use lifecycle::{DeactivateError, Lifecycle};
use ruma::api::client::account::{
    ThirdPartyIdRemovalStatus,
    deactivate::v3::{Request, Response},
};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix, session::owner_proof::OwnerProof};

/// Closes the caller's account for good.
#[instrument(name = "client.deactivate", skip_all)]
pub(crate) async fn deactivate(
    State(lifecycle): State<Lifecycle>,
    proof: OwnerProof,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let by = proof
        .demand(Operation::Deactivate, &caller, req.auth.as_ref())
        .await?;
    lifecycle
        .deactivate(&caller.user_id, req.erase, &by)
        .await?;
    // No identity server was told of an address of mail that goes with the account.
    let unbound = ThirdPartyIdRemovalStatus::Success;
    Ok(Matrix(Response::new(unbound)))
}

impl From<DeactivateError> for ApiError {
    fn from(error: DeactivateError) -> Self {
        match error {
            DeactivateError::NoSuchUser => Self::not_found(error),
            DeactivateError::Store(error) => Self::internal(error),
        }
    }
}

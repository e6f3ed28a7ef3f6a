//! `POST /_matrix/client/v3/account/deactivate` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountdeactivate

use accounts::{Accounts, By, Operation};
use axum::extract::State;
use lifecycle::{DeactivateError, Lifecycle};
use ruma::api::client::account::{
    ThirdPartyIdRemovalStatus,
    deactivate::v3::{Request, Response},
};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix, origin::CameFrom, session::uia};

/// Closes the caller's account for good.
#[instrument(name = "client.deactivate", skip_all)]
pub(crate) async fn deactivate(
    State(accounts): State<Accounts>,
    State(lifecycle): State<Lifecycle>,
    CameFrom(origin): CameFrom,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let session = caller.session()?;
    let by = By::session(&session, origin);
    let answer = uia::answer(req.auth.as_ref());
    accounts
        .prove_owner(Operation::Deactivate, &session, answer, &by)
        .await?;
    lifecycle
        .deactivate(&caller.user_id, req.erase, &by)
        .await?;
    // There are no third-party ids here that an identity server could know.
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

//! `POST /_matrix/client/v3/account/3pid/add` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidadd

use accounts::{Accounts, Operation, Refusal, emails::EmailError};
use axum::extract::State;
use ruma::api::client::account::add_3pid::v3::{Request, Response};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix, session::owner_proof::OwnerProof};

/// Adds an address of mail that was confirmed to the caller's account.
#[instrument(name = "client.add_3pid", skip_all)]
pub(crate) async fn add_3pid(
    State(accounts): State<Accounts>,
    proof: OwnerProof,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let by = proof
        .demand(Operation::AddEmail, &caller, req.auth.as_ref())
        .await?;
    let whose = (caller.user, &*caller.user_id);
    let (sid, secret) = (req.sid.as_str(), req.client_secret.as_str());
    accounts.add_email(whose, sid, secret, &by).await?;
    Ok(Matrix(Response::new()))
}

impl From<EmailError> for ApiError {
    fn from(error: EmailError) -> Self {
        match error {
            EmailError::NotConfirmed => Self::threepid_auth_failed(error),
            EmailError::InUse => Self::threepid_in_use(error),
            EmailError::TooMany(_) => Self::forbidden(error),
            EmailError::Standing(Refusal::Locked) => Self::user_locked(),
            EmailError::Standing(Refusal::Suspended) => Self::user_suspended(),
            EmailError::Standing(_) => Self::user_deactivated(),
            EmailError::Store(error) => Self::internal(error),
        }
    }
}

//! `POST /_matrix/client/v3/account/password` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpassword

use accounts::Operation;
use axum::extract::State;
use lifecycle::{AfterPassword, ChangePasswordError, Lifecycle};
use ruma::api::client::account::change_password::v3::{Request, Response};
use tracing::instrument;
use zeroize::Zeroizing;

use crate::{caller::Caller, error::ApiError, matrix::Matrix, session::owner_proof::OwnerProof};

/// Changes the caller's password; their other sessions end, unless they are to stay.
#[instrument(name = "client.change_password", skip_all)]
pub(crate) async fn change_password(
    State(lifecycle): State<Lifecycle>,
    proof: OwnerProof,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let by = proof
        .demand(Operation::ChangePassword, &caller, req.auth.as_ref())
        .await?;
    let after = if req.logout_devices {
        AfterPassword::EndOthers(caller.own_device()?)
    } else {
        AfterPassword::KeepSessions
    };
    let whose = (caller.user, &*caller.user_id);
    let new = Zeroizing::new(req.new_password);
    lifecycle.change_password(whose, &new, after, &by).await?;
    Ok(Matrix(Response::new()))
}

impl From<ChangePasswordError> for ApiError {
    fn from(error: ChangePasswordError) -> Self {
        match error {
            ChangePasswordError::NoSuchUser => Self::unknown_token(false),
            ChangePasswordError::NoPerson => Self::forbidden(error),
            ChangePasswordError::Weak(_) => Self::weak_password(error),
            ChangePasswordError::Store(error) => Self::internal(error),
        }
    }
}

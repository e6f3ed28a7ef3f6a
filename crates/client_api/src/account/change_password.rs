//! `POST /_matrix/client/v3/account/password` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpassword

use accounts::{Accounts, Operation, ProveError};
use audit::Origin;
use axum::extract::State;
use lifecycle::{AfterPassword, ChangePasswordError, Lifecycle, ResetPasswordError};
use ruma::api::client::account::change_password::v3::{Request, Response};
use tracing::instrument;
use zeroize::Zeroizing;

use crate::{
    caller::Caller,
    error::ApiError,
    matrix::Matrix,
    origin::CameFrom,
    session::{owner_proof::OwnerProof, uia},
};

/// Changes the caller's password; their other sessions end, unless they are to stay. Who has no
/// session, because they have forgotten it, proves that they read the mail of the account.
#[instrument(name = "client.change_password", skip_all)]
pub(crate) async fn change_password(
    State(lifecycle): State<Lifecycle>,
    State(accounts): State<Accounts>,
    CameFrom(origin): CameFrom,
    proof: OwnerProof,
    caller: Option<Caller>,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let Some(caller) = caller else {
        return reset_password(&lifecycle, &accounts, origin, req).await;
    };
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

async fn reset_password(
    lifecycle: &Lifecycle,
    accounts: &Accounts,
    origin: Origin,
    req: Request,
) -> Result<Matrix<Response>, ApiError> {
    if !accounts.sends_mail() {
        return Err(ApiError::missing_token());
    }
    let answer = uia::answer(req.auth.as_ref());
    let proof = accounts.prove_forgotten_password(answer).await?;
    let after = if req.logout_devices {
        AfterPassword::EndAll
    } else {
        AfterPassword::KeepSessions
    };
    let new = Zeroizing::new(req.new_password);
    let reset = lifecycle.reset_forgotten_password(&proof, &new, after, origin);
    match reset.await {
        Ok(()) => Ok(Matrix(Response::new())),
        Err(
            ResetPasswordError::Spent | ResetPasswordError::Change(ChangePasswordError::NoSuchUser),
        ) => {
            let refused: ProveError = accounts.refuse_forgotten_password();
            Err(refused.into())
        }
        Err(ResetPasswordError::Change(error)) => Err(error.into()),
    }
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

//! `POST /_matrix/client/v3/account/password` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpassword

use accounts::{Accounts, By, Operation};
use axum::extract::State;
use lifecycle::{AfterPassword, ChangePasswordError, Lifecycle};
use ruma::api::client::account::change_password::v3::{Request, Response};
use tracing::instrument;
use zeroize::Zeroizing;

use crate::{caller::Caller, error::ApiError, matrix::Matrix, origin::CameFrom, session::uia};

/// Changes the caller's password; their other sessions end, unless they are to stay.
#[instrument(name = "client.change_password", skip_all)]
pub(crate) async fn change_password(
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
        .prove_owner(Operation::ChangePassword, &session, answer, &by)
        .await?;
    let after = if req.logout_devices {
        AfterPassword::EndOthers(&session.device_id)
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
            ChangePasswordError::Weak(_) => Self::weak_password(error),
            ChangePasswordError::Store(error) => Self::internal(error),
        }
    }
}

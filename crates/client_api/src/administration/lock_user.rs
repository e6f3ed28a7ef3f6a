//! `GET` and `PUT /_matrix/client/v1/admin/lock/{userId}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv1adminlockuserid

use accounts::{Accounts, Restriction};
use axum::extract::State;
use ruma::api::client::admin::{
    is_user_locked::v1::{Request as AskRequest, Response as AskResponse},
    lock_user::v1::{Request, Response},
};
use tracing::instrument;

use super::{is_restricted, restrict};
use crate::{caller::Caller, error::ApiError, matrix::Matrix, origin::CameFrom};

/// Tells an administrator whether somebody is locked.
#[instrument(name = "client.is_user_locked", skip_all)]
pub(crate) async fn is_user_locked(
    State(accounts): State<Accounts>,
    caller: Caller,
    Matrix(req): Matrix<AskRequest>,
) -> Result<Matrix<AskResponse>, ApiError> {
    let holds = is_restricted(&accounts, &caller, &req.user_id, Restriction::Lock);
    Ok(Matrix(AskResponse::new(holds.await?)))
}

/// Locks somebody: nothing but signing out is left to them. Or frees them.
#[instrument(name = "client.lock_user", skip_all)]
pub(crate) async fn lock_user(
    State(accounts): State<Accounts>,
    CameFrom(origin): CameFrom,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let what = (Restriction::Lock, req.locked);
    restrict(&accounts, &caller, &req.user_id, what, origin).await?;
    Ok(Matrix(Response::new(req.locked)))
}

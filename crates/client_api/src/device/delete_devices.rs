//! `POST /_matrix/client/v3/delete_devices` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3delete_devices

use accounts::{Accounts, By, Operation};
use axum::extract::State;
use lifecycle::Lifecycle;
use ruma::api::client::device::delete_devices::v3::{Request, Response};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix, origin::CameFrom, session::uia};

/// Removes some of the caller's devices, and ends their sessions.
#[instrument(name = "client.delete_devices", skip_all)]
pub(crate) async fn delete_devices(
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
        .prove_owner(Operation::RemoveDevices, &session, answer, &by)
        .await?;
    let whose = (caller.user, &*caller.user_id);
    lifecycle.remove_devices(whose, &req.devices, &by).await?;
    Ok(Matrix(Response::new()))
}

//! `POST /_matrix/client/v3/delete_devices` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3delete_devices

use accounts::Operation;
use axum::extract::State;
use lifecycle::Lifecycle;
use ruma::api::client::device::delete_devices::v3::{Request, Response};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix, session::owner_proof::OwnerProof};

/// Removes some of the caller's devices, and ends their sessions.
#[instrument(name = "client.delete_devices", skip_all)]
pub(crate) async fn delete_devices(
    State(lifecycle): State<Lifecycle>,
    proof: OwnerProof,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let by = proof
        .demand(Operation::RemoveDevices, &caller, req.auth.as_ref())
        .await?;
    let whose = (caller.user, &*caller.user_id);
    lifecycle.remove_devices(whose, &req.devices, &by).await?;
    Ok(Matrix(Response::new()))
}

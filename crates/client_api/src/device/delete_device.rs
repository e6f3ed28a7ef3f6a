//! `DELETE /_matrix/client/v3/devices/{deviceId}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3devicesdeviceid

use accounts::Operation;
use axum::extract::State;
use lifecycle::Lifecycle;
use ruma::api::client::device::delete_device::v3::{Request, Response};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix, session::owner_proof::OwnerProof};

/// Removes one of the caller's devices, and ends its session.
#[instrument(name = "client.delete_device", skip_all)]
pub(crate) async fn delete_device(
    State(lifecycle): State<Lifecycle>,
    proof: OwnerProof,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let by = proof
        .demand(Operation::RemoveDevices, &caller, req.auth.as_ref())
        .await?;
    let whose = (caller.user, &*caller.user_id);
    lifecycle
        .remove_devices(whose, &[req.device_id], &by)
        .await?;
    Ok(Matrix(Response::new()))
}

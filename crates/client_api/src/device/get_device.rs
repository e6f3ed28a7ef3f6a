//! `GET /_matrix/client/v3/devices/{deviceId}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3devicesdeviceid

use accounts::Accounts;
use axum::extract::State;
use ruma::api::client::device::get_device::v3::{Request, Response};
use tracing::instrument;

use super::wire_form;
use crate::{
    caller::Caller,
    error::ApiError,
    matrix::{Matrix, Sparse},
};

/// Shows one of the caller's devices.
#[instrument(name = "client.get_device", skip_all)]
pub(crate) async fn get_device(
    State(accounts): State<Accounts>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Sparse<Response>, ApiError> {
    let device = accounts.device(caller.user, &req.device_id).await;
    let device = device.map_err(ApiError::internal)?;
    let device = device.ok_or_else(|| ApiError::not_found("there is no such device"))?;
    Ok(Sparse(Response::new(wire_form(device))))
}

//! `GET /_matrix/client/v3/devices` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3devices

use accounts::Accounts;
use axum::extract::State;
use ruma::api::client::device::get_devices::v3::{Request, Response};
use tracing::instrument;

use super::wire_form;
use crate::{
    caller::Caller,
    error::ApiError,
    matrix::{Matrix, Sparse},
};

/// Lists the caller's devices.
#[instrument(name = "client.get_devices", skip_all)]
pub(crate) async fn get_devices(
    State(accounts): State<Accounts>,
    caller: Caller,
    Matrix(_): Matrix<Request>,
) -> Result<Sparse<Response>, ApiError> {
    let devices = accounts.devices_of(caller.user).await;
    let devices = devices.map_err(ApiError::internal)?.into_iter();
    Ok(Sparse(Response::new(devices.map(wire_form).collect())))
}

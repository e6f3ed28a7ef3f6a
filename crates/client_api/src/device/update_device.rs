//! `PUT /_matrix/client/v3/devices/{deviceId}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3devicesdeviceid

use accounts::Accounts;
use axum::extract::State;
use ruma::api::client::device::update_device::v3::{Request, Response};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Names one of the caller's devices; a request without a name changes nothing.
#[instrument(name = "client.update_device", skip_all)]
pub(crate) async fn update_device(
    State(accounts): State<Accounts>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    if req.display_name.is_some() {
        accounts
            .rename_device(caller.user, &req.device_id, req.display_name)
            .await?;
    } else {
        let device = accounts.device(caller.user, &req.device_id).await;
        let device = device.map_err(ApiError::internal)?;
        device.ok_or_else(|| ApiError::not_found("there is no such device"))?;
    }
    Ok(Matrix(Response::new()))
}

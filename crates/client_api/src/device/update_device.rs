//! `PUT /_matrix/client/v3/devices/{deviceId}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3devicesdeviceid

use accounts::{Accounts, MakeDeviceError};
use axum::extract::State;
use http::StatusCode;
use ruma::api::client::device::update_device::v3::{Request, Response};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix, origin::CameFrom};

/// Names one of the caller's devices; a request without a name changes nothing. An application
/// service makes a device that is not there.
#[instrument(name = "client.update_device", skip_all)]
pub(crate) async fn update_device(
    State(accounts): State<Accounts>,
    CameFrom(origin): CameFrom,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<(StatusCode, Matrix<Response>), ApiError> {
    let answer = Matrix(Response::new());
    if caller.appservice.is_some() {
        let by = caller.by(origin)?;
        let whose = (caller.user, &*caller.user_id);
        let made = accounts.make_device(whose, &req.device_id, req.display_name, &by);
        return Ok(match made.await? {
            true => (StatusCode::CREATED, answer),
            false => (StatusCode::OK, answer),
        });
    }
    if req.display_name.is_some() {
        accounts
            .rename_device(caller.user, &req.device_id, req.display_name)
            .await?;
    } else {
        let device = accounts.device(caller.user, &req.device_id).await;
        let device = device.map_err(ApiError::internal)?;
        device.ok_or_else(|| ApiError::not_found("there is no such device"))?;
    }
    Ok((StatusCode::OK, answer))
}

impl From<MakeDeviceError> for ApiError {
    fn from(error: MakeDeviceError) -> Self {
        match error {
            MakeDeviceError::DeviceId(_) | MakeDeviceError::NameTooLong => {
                Self::invalid_param(error)
            }
            MakeDeviceError::TooMany(_) => Self::forbidden(error),
            MakeDeviceError::NoSuchUser => Self::user_deactivated(),
            MakeDeviceError::Store(error) => Self::internal(error),
        }
    }
}

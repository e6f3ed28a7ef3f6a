//! `GET /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device` ([MSC3814])
//!
//! [MSC3814]: https://github.com/matrix-org/matrix-spec-proposals/pull/3814

use axum::extract::State;
use keys::Keys;
use ruma::api::client::dehydrated_device::get_dehydrated_device::unstable::{Request, Response};
use tracing::instrument;

use super::none;
use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Gives back what the caller has left here to become a device again.
#[instrument(name = "client.get_dehydrated_device", skip_all)]
pub(crate) async fn get_dehydrated_device(
    State(keys): State<Keys>,
    caller: Caller,
    Matrix(_): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let device = keys.dehydrated_device(caller.user).await;
    let device = device.map_err(ApiError::internal)?.ok_or_else(none)?;
    Ok(Matrix(Response::new(device.device_id, device.device_data)))
}

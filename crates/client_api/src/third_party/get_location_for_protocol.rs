//! `GET /_matrix/client/v3/thirdparty/location/{protocol}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3thirdpartylocationprotocol

use axum::extract::State;
use bridging::Bridging;
use ruma::api::client::thirdparty::get_location_for_protocol::v3::{Request, Response};
use tracing::instrument;

use super::{check_spoken, readable, wanted};
use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Finds places of a protocol that fit some fields.
#[instrument(name = "client.get_location_for_protocol", skip_all)]
pub(crate) async fn get_location_for_protocol(
    State(bridging): State<Bridging>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    check_spoken(&bridging, &req.protocol)?;
    let fields = wanted(&caller, req.fields);
    let told = bridging.locations(&req.protocol, &fields).await;
    Ok(Matrix(Response::new(readable(told))))
}

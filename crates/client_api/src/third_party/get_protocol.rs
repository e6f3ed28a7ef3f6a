//! `GET /_matrix/client/v3/thirdparty/protocol/{protocol}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3thirdpartyprotocolprotocol

use axum::extract::State;
use bridging::Bridging;
use ruma::api::client::thirdparty::get_protocol::v3::{Request, Response};
use tracing::instrument;

use super::{check_spoken, readable};
use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Tells what is known of a protocol, and its networks.
#[instrument(name = "client.get_protocol", skip_all)]
pub(crate) async fn get_protocol(
    State(bridging): State<Bridging>,
    _: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    check_spoken(&bridging, &req.protocol)?;
    let told = bridging.protocol(&req.protocol).await;
    let protocol = readable(told).pop();
    let protocol =
        protocol.ok_or_else(|| ApiError::not_found("nothing is known of this protocol now"))?;
    Ok(Matrix(Response::new(protocol)))
}

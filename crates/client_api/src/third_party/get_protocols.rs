//! `GET /_matrix/client/v3/thirdparty/protocols` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3thirdpartyprotocols

use axum::extract::State;
use bridging::Bridging;
use ruma::api::client::thirdparty::get_protocols::v3::{Request, Response};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Tells what is known of every protocol that is spoken here.
#[instrument(name = "client.get_protocols", skip_all)]
pub(crate) async fn get_protocols(
    State(bridging): State<Bridging>,
    _: Caller,
    Matrix(_): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let told = bridging.protocols().await.into_iter();
    let read = told.filter_map(|(name, told)| Some((name, serde_json::from_value(told).ok()?)));
    Ok(Matrix(Response::new(read.collect())))
}

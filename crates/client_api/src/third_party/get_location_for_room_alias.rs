//! `GET /_matrix/client/v3/thirdparty/location` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3thirdpartylocation

use axum::extract::State;
use bridging::Bridging;
use ruma::api::client::thirdparty::get_location_for_room_alias::v3::{Request, Response};
use tracing::instrument;

use super::readable;
use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Finds the places on other networks that stand behind an alias.
#[instrument(name = "client.get_location_for_room_alias", skip_all)]
pub(crate) async fn get_location_for_room_alias(
    State(bridging): State<Bridging>,
    _: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let told = bridging.locations_of(&req.alias).await;
    Ok(Matrix(Response::new(readable(told))))
}

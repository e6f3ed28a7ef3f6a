//! `GET /.well-known/matrix/client` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#getwell-knownmatrixclient

use std::sync::Arc;

use axum::extract::State;
use ruma::api::client::discovery::discover_homeserver;
use tracing::instrument;

use crate::{Settings, calls::transports, matrix::Matrix};

/// Tells where this server's API is, and where its calls are carried ([MSC4143]).
///
/// [MSC4143]: https://github.com/matrix-org/matrix-spec-proposals/pull/4143
#[instrument(name = "client.well_known", skip_all)]
pub(crate) async fn well_known(
    State(settings): State<Arc<Settings>>,
    Matrix(_): Matrix<discover_homeserver::Request>,
) -> Matrix<discover_homeserver::Response> {
    let homeserver = discover_homeserver::HomeserverInfo::new(settings.public_url.clone());
    let mut response = discover_homeserver::Response::new(homeserver);
    response.rtc_foci = transports(&settings);
    Matrix(response)
}

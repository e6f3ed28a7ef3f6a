//! `GET /.well-known/matrix/policy_server` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#getwell-knownmatrixpolicy_server

use ruma::api::client::discovery::discover_policy_server::{Request, Response};
use tracing::instrument;

use crate::{error::ApiError, matrix::Matrix};

/// Tells the keys of a policy server, which this is not: it judges no events of other servers.
#[instrument(name = "client.policy_server", skip_all)]
pub(crate) async fn policy_server(
    Matrix(_): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    Err(ApiError::not_found("this server is no policy server"))
}

//! `GET /.well-known/matrix/support` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#getwell-knownmatrixsupport

use std::sync::Arc;

use axum::extract::State;
use ruma::api::client::discovery::discover_support;
use tracing::instrument;

use crate::{Settings, error::ApiError, matrix::Matrix};

/// Tells whom one may turn to, if the operator has said so.
#[instrument(name = "client.support", skip_all)]
pub(crate) async fn support(
    State(settings): State<Arc<Settings>>,
    Matrix(_): Matrix<discover_support::Request>,
) -> Result<Matrix<discover_support::Response>, ApiError> {
    let support = settings.support.clone().map(Matrix);
    support.ok_or_else(|| ApiError::not_found("this server does not say whom to turn to"))
}

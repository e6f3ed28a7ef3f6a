//! `GET /_matrix/client/unstable/org.matrix.msc4143/rtc/transports` ([MSC4143])
//!
//! [MSC4143]: https://github.com/matrix-org/matrix-spec-proposals/pull/4143

use std::sync::Arc;

use axum::extract::State;
use ruma::api::client::rtc::transports::v1::{Request, Response};
use tracing::instrument;

use super::transports;
use crate::{Settings, caller::Caller, matrix::Matrix};

/// Tells where calls are carried; nowhere, if the operator has named no service.
#[instrument(name = "client.get_rtc_transports", skip_all)]
pub(crate) async fn get_rtc_transports(
    State(settings): State<Arc<Settings>>,
    _: Caller,
    Matrix(_): Matrix<Request>,
) -> Matrix<Response> {
    Matrix(Response::new(transports(&settings)))
}

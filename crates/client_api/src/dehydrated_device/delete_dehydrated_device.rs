//! `DELETE /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device` ([MSC3814])
//!
//! [MSC3814]: https://github.com/matrix-org/matrix-spec-proposals/pull/3814

use axum::extract::State;
use lifecycle::Lifecycle;
use ruma::api::client::dehydrated_device::delete_dehydrated_device::unstable::{Request, Response};
use tracing::instrument;

use super::none;
use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Removes the caller's dehydrated device, with its keys and what has come for it.
#[instrument(name = "client.delete_dehydrated_device", skip_all)]
pub(crate) async fn delete_dehydrated_device(
    State(lifecycle): State<Lifecycle>,
    caller: Caller,
    Matrix(_): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let whose = (caller.user, &*caller.user_id);
    let removed = lifecycle.drop_dehydrated(whose).await?;
    Ok(Matrix(Response::new(removed.ok_or_else(none)?)))
}

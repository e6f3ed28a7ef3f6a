//! `PUT /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device` ([MSC3814])
//!
//! [MSC3814]: https://github.com/matrix-org/matrix-spec-proposals/pull/3814

use axum::extract::State;
use keys::DehydratedUpload;
use lifecycle::Lifecycle;
use ruma::api::client::dehydrated_device::put_dehydrated_device::unstable::{Request, Response};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Keeps a device of the caller's that nobody is signed in on, in place of the one before.
#[instrument(name = "client.put_dehydrated_device", skip_all)]
pub(crate) async fn put_dehydrated_device(
    State(lifecycle): State<Lifecycle>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let upload = DehydratedUpload {
        user_id: caller.user_id,
        device_id: req.device_id,
        device_data: req.device_data,
        display_name: req.initial_device_display_name,
        device_keys: req.device_keys,
        one_time_keys: req.one_time_keys,
        fallback_keys: req.fallback_keys,
    };
    let whose = (caller.user, &*upload.user_id);
    lifecycle.dehydrate(whose, &upload).await?;
    Ok(Matrix(Response::new(upload.device_id)))
}

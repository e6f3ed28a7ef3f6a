//! `POST /_matrix/client/v3/keys/upload` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysupload

use axum::extract::State;
use keys::{Keys, KeysUpload, UploadError};
use ruma::{UInt, api::client::keys::upload_keys};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Publishes the keys of the caller's device.
///
/// Uploading a one-time key again succeeds and changes nothing: clients retry.
#[instrument(name = "client.upload_keys", skip_all)]
pub(crate) async fn upload_keys(
    State(keys): State<Keys>,
    caller: Caller,
    Matrix(req): Matrix<upload_keys::v3::Request>,
) -> Result<Matrix<upload_keys::v3::Response>, ApiError> {
    let upload = KeysUpload {
        device_id: caller.own_device()?.to_owned(),
        user_id: caller.user_id,
        device_keys: req.device_keys,
        one_time_keys: req.one_time_keys,
        fallback_keys: req.fallback_keys,
    };
    let counts = keys.upload_keys(&upload, |_| {}).await?;
    let counts = counts.into_iter();
    let counts = counts.map(|(algorithm, count)| (algorithm, UInt::new_saturating(count)));
    Ok(Matrix(upload_keys::v3::Response::new(counts.collect())))
}

impl From<UploadError> for ApiError {
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::NotYours(_)
            | UploadError::TooMany(_)
            | UploadError::Conflict(_)
            | UploadError::KeyIdInUse => Self::invalid_param(error),
            UploadError::Malformed(_) => Self::bad_json(error),
            UploadError::TooLarge(_) | UploadError::DataTooLarge(_) => Self::too_large(error),
            UploadError::Refused(refused) => Self::internal(refused.into_store()),
            UploadError::Store(error) => Self::internal(error),
        }
    }
}

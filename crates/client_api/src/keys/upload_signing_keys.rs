//! `POST /_matrix/client/v3/keys/device_signing/upload` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysdevice_signingupload

use std::time::Duration;

use accounts::Operation;
use audit::Act;
use axum::extract::State;
use keys::{CrossSigningError, CrossSigningUpload, Keys};
use ruma::api::client::keys::upload_signing_keys;
use tracing::instrument;

use crate::{
    caller::Caller,
    error::ApiError,
    matrix::Matrix,
    origin::{CameFrom, add_record},
    session::owner_proof::OwnerProof,
};

/// Publishes the caller's cross-signing keys.
///
/// The first keys are free, and so are the same keys again; whoever replaces keys has to prove
/// that they are more than the holder of an access token.
#[instrument(name = "client.upload_signing_keys", skip_all)]
pub(crate) async fn upload_signing_keys(
    State(keys): State<Keys>,
    proof: OwnerProof,
    CameFrom(origin): CameFrom,
    caller: Caller,
    Matrix(req): Matrix<upload_signing_keys::v3::Request>,
) -> Result<Matrix<upload_signing_keys::v3::Response>, ApiError> {
    let mut upload = CrossSigningUpload {
        user_id: caller.user_id.clone(),
        master_key: req.master_key,
        self_signing_key: req.self_signing_key,
        user_signing_key: req.user_signing_key,
        authenticated: false,
    };
    if keys.cross_signing_change_needs_proof(&upload).await? {
        let operation = Operation::UploadCrossSigningKeys;
        proof.demand(operation, &caller, req.auth.as_ref()).await?;
        upload.authenticated = true;
    }
    let act = match upload.authenticated && upload.master_key.is_some() {
        true => Act::KeysReset,
        false => Act::CrossSigningKeysChanged,
    };
    keys.upload_cross_signing_keys(&upload, |intent| add_record(intent, act, &caller, &origin))
        .await?;
    Ok(Matrix(upload_signing_keys::v3::Response::new()))
}

impl From<CrossSigningError> for ApiError {
    fn from(error: CrossSigningError) -> Self {
        match error {
            CrossSigningError::Malformed(..) => Self::bad_json(error),
            CrossSigningError::NotYours(_) => Self::invalid_param(error),
            CrossSigningError::NotSigned(_) => Self::invalid_signature(error),
            CrossSigningError::NoMasterKey => Self::missing_param(error),
            CrossSigningError::KeyIdInUse => Self::forbidden(error),
            // Another device published keys between the question and the upload: the client
            // asks again, and is told to prove who it is.
            CrossSigningError::NeedsAuthentication | CrossSigningError::Busy => {
                Self::limit_exceeded(Duration::from_secs(1))
            }
            CrossSigningError::Refused(refused) => Self::internal(refused.into_store()),
            CrossSigningError::Store(error) => Self::internal(error),
        }
    }
}

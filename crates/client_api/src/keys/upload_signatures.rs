//! `POST /_matrix/client/v3/keys/signatures/upload` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keyssignaturesupload

use axum::{Json, extract::State};
use http::StatusCode;
use keys::{Keys, SignatureFailure, SignaturesError};
use ruma::{OwnedUserId, api::client::keys::upload_signatures};
use serde::Serialize;
use std::{collections::BTreeMap, time::Duration};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// The answer, written out: ruma's type of a failure can only be read.
#[derive(Serialize)]
pub(crate) struct Answer {
    failures: BTreeMap<OwnedUserId, BTreeMap<String, Failure>>,
}

#[derive(Serialize)]
struct Failure {
    status: u16,
    errcode: &'static str,
    error: String,
}

/// Publishes signatures on the caller's own devices and on master keys.
///
/// What is wrong with one of them is told beside it; the others are taken.
#[instrument(name = "client.upload_signatures", skip_all)]
pub(crate) async fn upload_signatures(
    State(keys): State<Keys>,
    caller: Caller,
    Matrix(req): Matrix<upload_signatures::v3::Request>,
) -> Result<Json<Answer>, ApiError> {
    let failures = keys
        .upload_signatures(&caller.user_id, &req.signed_keys)
        .await?;
    let of_user = |failures: BTreeMap<String, SignatureFailure>| {
        let failures = failures.into_iter();
        failures
            .map(|(key, failure)| (key, Failure::from(failure)))
            .collect()
    };
    let failures = failures.into_iter();
    Ok(Json(Answer {
        failures: failures
            .map(|(user, failures)| (user, of_user(failures)))
            .collect(),
    }))
}

impl From<SignatureFailure> for Failure {
    fn from(failure: SignatureFailure) -> Self {
        let (status, errcode) = match failure {
            SignatureFailure::NotFound => (StatusCode::NOT_FOUND, "M_NOT_FOUND"),
            SignatureFailure::Invalid => (StatusCode::BAD_REQUEST, "M_INVALID_SIGNATURE"),
        };
        Self {
            status: status.as_u16(),
            errcode,
            error: failure.to_string(),
        }
    }
}

impl From<SignaturesError> for ApiError {
    fn from(error: SignaturesError) -> Self {
        match error {
            SignaturesError::TooMany => Self::invalid_param(error),
            SignaturesError::Busy => Self::limit_exceeded(Duration::from_secs(1)),
            SignaturesError::Store(_) => Self::internal(error),
        }
    }
}

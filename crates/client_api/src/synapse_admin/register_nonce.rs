//! `GET /_synapse/admin/v1/register`: a nonce for one registration with the shared secret.

use accounts::Accounts;
use axum::{Json, extract::State};
use ruma::{
    api::{
        IncomingRequest,
        auth_scheme::NoAccessToken,
        client::session::logout::v3::Response,
        error::{DeserializationError, Error},
    },
    metadata,
};
use serde::Serialize;
use tracing::instrument;

use crate::{error::ApiError, matrix::Matrix};

/// The answer.
#[derive(Serialize)]
pub(crate) struct Answer {
    nonce: String,
}

/// Hands out a nonce; without a shared secret the path is unknown.
#[instrument(name = "client.register_nonce", skip_all)]
pub(crate) async fn register_nonce(
    State(accounts): State<Accounts>,
    Matrix(_): Matrix<Request>,
) -> Result<Json<Answer>, ApiError> {
    let nonce = accounts.shared_secret_nonce();
    let nonce = nonce.ok_or_else(ApiError::unrecognized_path)?;
    Ok(Json(Answer { nonce }))
}

/// The request, which says nothing.
pub(crate) struct Request;

metadata! {
    method: GET,
    rate_limited: true,
    authentication: NoAccessToken,
    path: "/_synapse/admin/v1/register",
}

impl IncomingRequest for Request {
    type EndpointError = Error;
    // The handler writes its answer itself.
    type OutgoingResponse = Response;

    fn try_from_http_request_inner(
        _: http::Request<&[u8]>,
        _: &[&str],
    ) -> Result<Self, DeserializationError> {
        Ok(Self)
    }
}

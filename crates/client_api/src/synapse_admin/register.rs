//! `POST /_synapse/admin/v1/register`: registration with the shared secret.

use accounts::{Accounts, By, SharedSecretError, SharedSecretRegistration};
use axum::{Json, extract::State};
use ruma::{
    OwnedDeviceId, OwnedServerName, OwnedUserId,
    api::{
        IncomingRequest,
        auth_scheme::NoAccessToken,
        client::session::logout::v3::Response,
        error::{DeserializationError, Error},
    },
    metadata,
};
use serde::{Deserialize, Serialize};
use tracing::instrument;
use zeroize::Zeroizing;

use crate::{error::ApiError, matrix::Matrix, origin::CameFrom};

/// The answer.
#[derive(Serialize)]
pub(crate) struct Answer {
    user_id: OwnedUserId,
    home_server: OwnedServerName,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_id: Option<OwnedDeviceId>,
}

/// Makes an account for a tool that knows the shared secret, and a session.
#[instrument(name = "client.register_with_shared_secret", skip_all)]
pub(crate) async fn register(
    State(accounts): State<Accounts>,
    CameFrom(origin): CameFrom,
    Matrix(req): Matrix<Request>,
) -> Result<Json<Answer>, ApiError> {
    let request = SharedSecretRegistration {
        nonce: req.nonce,
        username: req.username,
        display_name: req.displayname,
        password: Zeroizing::new(req.password),
        admin: req.admin,
        user_type: req.user_type,
        mac: req.mac,
    };
    let made = accounts
        .register_with_shared_secret(request, By::anonymous(origin))
        .await?;
    let (access_token, device_id) = made
        .signed_in
        .map(|signed_in| (signed_in.access_token, signed_in.device_id))
        .unzip();
    Ok(Json(Answer {
        home_server: made.user_id.server_name().to_owned(),
        user_id: made.user_id,
        access_token,
        device_id,
    }))
}

impl From<SharedSecretError> for ApiError {
    fn from(error: SharedSecretError) -> Self {
        match error {
            SharedSecretError::NotConfigured => Self::unrecognized_path(),
            SharedSecretError::Nonce | SharedSecretError::UserType => Self::invalid_param(error),
            SharedSecretError::Mac => Self::forbidden(error),
            SharedSecretError::Register(error) => error.into(),
        }
    }
}

/// The request.
#[derive(Deserialize)]
pub(crate) struct Request {
    nonce: String,
    username: String,
    #[serde(default)]
    displayname: Option<String>,
    password: String,
    #[serde(default)]
    admin: bool,
    #[serde(default)]
    user_type: Option<String>,
    mac: String,
}

metadata! {
    method: POST,
    rate_limited: true,
    authentication: NoAccessToken,
    path: "/_synapse/admin/v1/register",
}

impl IncomingRequest for Request {
    type EndpointError = Error;
    // The handler writes its answer itself.
    type OutgoingResponse = Response;

    fn try_from_http_request_inner(
        request: http::Request<&[u8]>,
        _: &[&str],
    ) -> Result<Self, DeserializationError> {
        Ok(serde_json::from_slice(request.body())?)
    }
}

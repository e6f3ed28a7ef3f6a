//! `GET /_matrix/identity/v2/pubkey/ephemeral/isvalid` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/identity-service-api/#get_matrixidentityv2pubkeyephemeralisvalid

use accounts::Accounts;
use axum::{Json, extract::State};
use ruma::{
    api::{
        IncomingRequest,
        auth_scheme::NoAccessToken,
        client::discovery::discover_homeserver::Response,
        error::{DeserializationError, Error},
    },
    metadata,
    serde::{
        Base64,
        base64::{Standard, UrlSafe},
    },
};
use serde::{Deserialize, Serialize};
use tracing::instrument;

use crate::{error::ApiError, matrix::Matrix};

/// The answer.
#[derive(Serialize)]
pub(crate) struct Answer {
    valid: bool,
}

/// Tells whether a key is that of an invitation by an address that nobody has taken up.
#[instrument(name = "identity.get_key_validity", skip_all)]
pub(crate) async fn get_key_validity(
    State(accounts): State<Accounts>,
    Matrix(req): Matrix<Request>,
) -> Result<Json<Answer>, ApiError> {
    let key = req.public_key.as_str();
    let read = Base64::<Standard>::parse(key).map(Base64::into_inner);
    let read = read.or_else(|_| Base64::<UrlSafe>::parse(key).map(Base64::into_inner));
    let valid = match read.map(Base64::<Standard>::new) {
        Ok(key) => accounts.is_email_invite_key(&key.encode()).await,
        Err(_) => Ok(false),
    };
    let valid = valid.map_err(ApiError::internal)?;
    Ok(Json(Answer { valid }))
}

/// The request.
#[derive(Deserialize)]
pub(crate) struct Request {
    public_key: String,
}

metadata! {
    method: GET,
    rate_limited: true,
    authentication: NoAccessToken,
    path: "/_matrix/identity/v2/pubkey/ephemeral/isvalid",
}

impl IncomingRequest for Request {
    type EndpointError = Error;
    // The handler writes its answer itself.
    type OutgoingResponse = Response;

    fn try_from_http_request_inner(
        request: http::Request<&[u8]>,
        _: &[&str],
    ) -> Result<Self, DeserializationError> {
        let query = request.uri().query().unwrap_or("");
        Ok(serde_html_form::from_str(query)?)
    }
}

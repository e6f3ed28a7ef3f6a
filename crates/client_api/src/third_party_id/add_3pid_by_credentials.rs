//! `POST /_matrix/client/v3/account/3pid` ([spec]), the way of before `add` and `bind`
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pid

use accounts::{Accounts, Operation, emails::EmailError};
use axum::{Json, extract::State};
use ruma::{
    OwnedClientSecret, OwnedSessionId,
    api::{
        IncomingRequest,
        auth_scheme::AccessToken,
        client::{
            account::add_3pid::v3::Response,
            uiaa::{AuthData, UiaaResponse},
        },
        error::{DeserializationError, ErrorKind},
    },
    metadata,
};
use serde::{Deserialize, Serialize};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix, session::owner_proof::OwnerProof};

/// The answer: nothing is left to do for the client.
#[derive(Serialize)]
pub(crate) struct Answer {}

/// Adds an address of mail that this server has confirmed to the caller's account.
///
/// Whoever adds an address can replace the password with it, so this asks for the password as
/// `add` does, which the specification leaves to the server.
#[instrument(name = "client.add_3pid_by_credentials", skip_all)]
pub(crate) async fn add_3pid_by_credentials(
    State(accounts): State<Accounts>,
    proof: OwnerProof,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Json<Answer>, ApiError> {
    let by = proof
        .demand(Operation::AddEmail, &caller, req.auth.as_ref())
        .await
        .map_err(|error| error.with_reason("adding an address takes the password"))?;
    let whose = (caller.user, &*caller.user_id);
    let Credentials { sid, client_secret } = req.three_pid_creds;
    let (sid, secret) = (sid.as_str(), client_secret.as_str());
    let added = accounts.add_email(whose, sid, secret, &by).await;
    added.map_err(|error| match error {
        // Another status than that of `add`, by the specification's words.
        EmailError::NotConfirmed => {
            let status = http::StatusCode::FORBIDDEN;
            ApiError::new(status, ErrorKind::ThreepidAuthFailed, error)
        }
        other => other.into(),
    })?;
    Ok(Json(Answer {}))
}

/// The request. The identity server that it names is not asked.
#[derive(Deserialize)]
pub(crate) struct Request {
    three_pid_creds: Credentials,
    #[serde(default)]
    auth: Option<AuthData>,
}

#[derive(Deserialize)]
struct Credentials {
    sid: OwnedSessionId,
    client_secret: OwnedClientSecret,
}

metadata! {
    method: POST,
    rate_limited: true,
    authentication: AccessToken,
    history: {
        1.0 => "/_matrix/client/r0/account/3pid",
        1.1 => "/_matrix/client/v3/account/3pid",
    }
}

impl IncomingRequest for Request {
    type EndpointError = UiaaResponse;
    type OutgoingResponse = Response;

    fn try_from_http_request_inner(
        request: http::Request<&[u8]>,
        _: &[&str],
    ) -> Result<Self, DeserializationError> {
        Ok(serde_json::from_slice(request.body())?)
    }
}

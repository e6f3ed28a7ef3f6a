//! `GET /_matrix/federation/v1/openid/userinfo` ([spec])
//!
//! The one part of the federation API that services beside this server need, such as the one that
//! lets people into calls; so it stands here, with or without federation.
//!
//! [spec]: https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1openiduserinfo

use accounts::Accounts;
use axum::{Json, extract::State};
use ruma::{
    OwnedUserId,
    api::{
        IncomingRequest,
        auth_scheme::NoAuthentication,
        client::session::logout::v3::Response,
        error::{DeserializationError, Error},
    },
    metadata,
};
use serde::{Deserialize, Serialize};
use tracing::instrument;

use crate::{error::ApiError, matrix::Matrix};

/// The answer.
#[derive(Serialize)]
pub(crate) struct Answer {
    sub: OwnedUserId,
}

/// Tells whose a token is.
#[instrument(name = "client.get_openid_userinfo", skip_all)]
pub(crate) async fn get_userinfo(
    State(accounts): State<Accounts>,
    Matrix(req): Matrix<Request>,
) -> Result<Json<Answer>, ApiError> {
    let token = req.access_token.ok_or_else(ApiError::missing_query_token)?;
    let owner = accounts.openid_owner(&token).await;
    let sub = owner.map_err(ApiError::internal)?;
    let sub = sub.ok_or_else(|| ApiError::unknown_token(false))?;
    Ok(Json(Answer { sub }))
}

/// The request.
#[derive(Deserialize)]
pub(crate) struct Request {
    access_token: Option<String>,
}

metadata! {
    method: GET,
    rate_limited: true,
    authentication: NoAuthentication,
    path: "/_matrix/federation/v1/openid/userinfo",
}

impl IncomingRequest for Request {
    type EndpointError = Error;
    // The handler writes its answer itself.
    type OutgoingResponse = Response;

    fn try_from_http_request_inner(
        request: http::Request<&[u8]>,
        _: &[&str],
    ) -> Result<Self, DeserializationError> {
        let query = request.uri().query().unwrap_or_default();
        Ok(serde_html_form::from_str(query)?)
    }
}

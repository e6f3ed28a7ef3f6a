//! `GET /_matrix/client/v3/initialSync` ([spec]), which is deprecated.
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3initialsync

use axum::{Json, extract::State};
use ruma::{
    UInt,
    api::{
        IncomingRequest,
        auth_scheme::AccessToken,
        client::session::logout::v3::Response,
        error::{DeserializationError, Error},
    },
    metadata,
};
use serde::Deserialize;
use sync::{InitialState, Sync};
use tracing::instrument;

use super::syncer;
use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Gives all of the caller's rooms and data as they are now.
#[instrument(name = "client.get_initial_state", skip_all, fields(user.id = %caller.user_id))]
pub(crate) async fn get_initial_state(
    State(sync): State<Sync>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Json<InitialState>, ApiError> {
    let limit = req
        .limit
        .map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let state = sync.initial_state(syncer(&caller)?, limit, req.archived);
    Ok(Json(state.await?))
}

/// The request.
#[derive(Deserialize)]
pub(crate) struct Request {
    limit: Option<UInt>,
    #[serde(default)]
    archived: bool,
}

metadata! {
    method: GET,
    rate_limited: false,
    authentication: AccessToken,
    history: {
        1.0 => "/_matrix/client/r0/initialSync",
        1.1 => "/_matrix/client/v3/initialSync",
    }
}

impl IncomingRequest for Request {
    type EndpointError = Error;
    // The handler writes its answer itself.
    type OutgoingResponse = Response;

    fn try_from_http_request_inner(
        request: http::Request<&[u8]>,
        _: &[&str],
    ) -> Result<Self, DeserializationError> {
        Ok(serde_html_form::from_str(
            request.uri().query().unwrap_or(""),
        )?)
    }
}

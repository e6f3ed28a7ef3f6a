//! `GET /_matrix/client/v3/events` ([spec]), which is deprecated, and with a room the only way to
//! follow one that the caller [is not in].
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3events
//! [is not in]: https://spec.matrix.org/v1.19/client-server-api/#peeking_get_matrixclientv3events

use std::time::Duration;

use axum::{Json, extract::State};
use ruma::{
    OwnedRoomId, UInt,
    api::{
        IncomingRequest,
        auth_scheme::AccessToken,
        client::session::logout::v3::Response,
        error::{DeserializationError, Error},
    },
    metadata,
};
use serde::Deserialize;
use sync::{Boundary, EventStream, Sync};
use tracing::Instrument;

use super::syncer;
use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Tells what happened after a token, or waits until something does; as a sync, not an `async fn`.
pub(crate) fn get_events(
    State(sync): State<Sync>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> impl Future<Output = Result<Json<EventStream>, ApiError>> + Send {
    let span = tracing::info_span!("client.get_events", user.id = %caller.user_id);
    let asking = Box::new((caller, req));
    async move { answer(&sync, &asking.0, &asking.1).await }.instrument(span)
}

async fn answer(
    sync: &Sync,
    caller: &Caller,
    req: &Request,
) -> Result<Json<EventStream>, ApiError> {
    let from = req.from.as_deref().map(str::parse::<Boundary>).transpose();
    let from = from.map_err(|error| ApiError::invalid_param(format_args!("from: {error}")))?;
    let timeout = req.timeout.map_or(0, u64::from);
    let room_id = req.room_id.as_deref();
    let events = sync.events(
        syncer(caller)?,
        from,
        room_id,
        Duration::from_millis(timeout),
    );
    Ok(Json(events.await?))
}

/// The request; without a time limit it does not wait.
#[derive(Deserialize)]
pub(crate) struct Request {
    from: Option<String>,
    room_id: Option<OwnedRoomId>,
    timeout: Option<UInt>,
}

metadata! {
    method: GET,
    rate_limited: false,
    authentication: AccessToken,
    history: {
        1.0 => "/_matrix/client/r0/events",
        1.1 => "/_matrix/client/v3/events",
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

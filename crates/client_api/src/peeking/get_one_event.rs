//! `GET /_matrix/client/v3/events/{eventId}` ([spec]), which is deprecated.
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3eventseventid

use std::sync::Arc;

use axum::{Json, extract::State};
use model::time::Clock;
use rooms::Rooms;
use ruma::{
    OwnedEventId,
    api::{
        IncomingRequest,
        auth_scheme::AccessToken,
        client::session::logout::v3::Response,
        error::{DeserializationError, Error},
    },
    events::AnyTimelineEvent,
    metadata,
    serde::Raw,
};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, events::RoomView, matrix::Matrix};

/// Gives one event; what the caller may not see is answered like what is not there.
#[instrument(name = "client.get_one_event", skip_all, fields(user.id = %caller.user_id))]
pub(crate) async fn get_one_event(
    State(rooms): State<Rooms>,
    State(clock): State<Arc<dyn Clock>>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Json<Raw<AnyTimelineEvent>>, ApiError> {
    let room_id = rooms.room_of(&req.event_id).await?;
    let view = RoomView::open(&rooms, &*clock, &caller, &room_id).await?;
    let event = view.visible(&req.event_id).await?;
    Ok(Json(view.event(&event).await.map_err(ApiError::internal)?))
}

/// The request.
pub(crate) struct Request {
    event_id: OwnedEventId,
}

metadata! {
    method: GET,
    rate_limited: false,
    authentication: AccessToken,
    history: {
        1.0 => "/_matrix/client/r0/events/{event_id}",
        1.1 => "/_matrix/client/v3/events/{event_id}",
    }
}

impl IncomingRequest for Request {
    type EndpointError = Error;
    // The handler writes its answer itself.
    type OutgoingResponse = Response;

    fn try_from_http_request_inner(
        _: http::Request<&[u8]>,
        arguments: &[&str],
    ) -> Result<Self, DeserializationError> {
        let event_id = arguments.first().copied().unwrap_or_default();
        Ok(Self {
            event_id: event_id.try_into()?,
        })
    }
}

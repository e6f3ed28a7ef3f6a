//! `GET /_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidstateeventtypestatekey

use std::sync::Arc;

use axum::extract::State;
use model::time::Clock;
use rooms::{Rooms, RoomsError, RoomsRefusal};
use ruma::api::client::state::get_state_event_for_key::v3::{Request, Response, StateEventFormat};
use sync::state_event;
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix, refusals::to_outsiders};

/// Gives one piece of a room's state: its content, or with `?format=event` the whole event.
#[instrument(name = "client.get_state_event", skip_all, fields(room.id = %req.room_id))]
pub(crate) async fn get_state_event(
    State(rooms): State<Rooms>,
    State(clock): State<Arc<dyn Clock>>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let (kind, key) = (req.event_type.to_string(), req.state_key.as_str());
    let found = rooms
        .readable_state_event(&req.room_id, &caller.user_id, &kind, key)
        .await;
    let event = found.map_err(|error| match error {
        RoomsError::Refused(RoomsRefusal::NoSuchEvent) => {
            ApiError::not_found("the room has no such state")
        }
        other => to_outsiders(other),
    })?;
    let answer = match req.format {
        StateEventFormat::Content => event.content().to_owned(),
        StateEventFormat::Event => state_event(&event, clock.now(), Some(&req.room_id)),
        other => {
            let sentence = format!("format: {other} is neither content nor event");
            return Err(ApiError::invalid_param(sentence));
        }
    };
    Ok(Matrix(Response::new(answer)))
}

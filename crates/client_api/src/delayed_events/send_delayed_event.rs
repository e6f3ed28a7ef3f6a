//! `PUT /_matrix/client/unstable/org.matrix.msc4140/rooms/{roomId}/delayed_event/{eventType}/{txnId}`
//! ([MSC4140])
//!
//! [MSC4140]: https://github.com/matrix-org/matrix-spec-proposals/pull/4140

use axum::extract::State;
use rooms::{DelayedDraft, Rooms};
use ruma::api::client::delayed_events::send_delayed_event::unstable::{Request, Response};
use store::Log;
use tracing::instrument;

use super::schedule;
use crate::{
    caller::Caller, error::ApiError, matrix::Matrix, messages::transaction, refusals::content_of,
};

/// Schedules a message or a piece of state; scheduling it again under the same transaction id gives
/// the same delay id.
#[instrument(name = "client.send_delayed_event", skip_all, fields(room.id = %req.room_id))]
pub(crate) async fn send_delayed_event(
    State(rooms): State<Rooms>,
    State(log): State<Log>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let content = content_of("content", &req.content)?;
    let transaction = transaction(&caller, &req.txn_id)?;
    let draft = DelayedDraft {
        room_id: req.room_id,
        sender: caller.user_id,
        kind: req.event_type,
        state_key: req.state_key,
        content,
        delay: req.delay,
        transaction,
    };
    let delay_id = schedule(&rooms, &log, draft).await?;
    Ok(Matrix(Response::new(delay_id)))
}

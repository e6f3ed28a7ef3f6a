//! `PUT /_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3roomsroomidsendeventtypetxnid

use axum::extract::State;
use rooms::{DelayedDraft, Rooms, SendRequest};
use ruma::api::client::message::send_message_event::v3::{Request, Response};
use store::Log;
use tracing::instrument;

use super::transaction;
use crate::{
    caller::Caller,
    delayed_events::{Delay, Sent, schedule},
    error::ApiError,
    matrix::Matrix,
    refusals::{content_of, to_outsiders},
};

/// Sends a message; sending it again under the same transaction id gives the same event.
///
/// With a delay in the query it is scheduled.
#[instrument(name = "client.send_event", skip_all, fields(room.id = %req.room_id))]
pub(crate) async fn send_event(
    State(rooms): State<Rooms>,
    State(log): State<Log>,
    delay: Delay,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Sent<Response>, ApiError> {
    let content = content_of("content", &req.body)?;
    let transaction = transaction(&caller, &req.txn_id)?;
    let at = caller.sent_at(req.timestamp);
    let kind = req.event_type.to_string().into();
    if let Some(delay) = delay.wanted()? {
        let draft = DelayedDraft {
            room_id: req.room_id,
            sender: caller.user_id,
            kind,
            state_key: None,
            content,
            delay,
            transaction,
        };
        return Ok(Sent::Later(schedule(&rooms, &log, draft).await?));
    }
    let event_id = rooms
        .send(
            &log,
            &req.room_id,
            &caller.user_id,
            kind,
            content,
            SendRequest { transaction, at },
        )
        .await
        .map_err(to_outsiders)?;
    Ok(Sent::Now(Response::new(event_id)))
}

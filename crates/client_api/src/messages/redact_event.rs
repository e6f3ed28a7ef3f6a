//! `PUT /_matrix/client/v3/rooms/{roomId}/redact/{eventId}/{txnId}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3roomsroomidredacteventidtxnid

use axum::extract::State;
use rooms::Rooms;
use ruma::api::client::redact::redact_event::v3::{Request, Response};
use store::Log;
use tracing::instrument;

use super::transaction;
use crate::{
    caller::{Caller, Standing},
    error::ApiError,
    matrix::Matrix,
    refusals::to_outsiders,
};

/// Takes an event's content away, for everybody and for good.
#[instrument(name = "client.redact_event", skip_all, fields(room.id = %req.room_id))]
pub(crate) async fn redact_event(
    State(rooms): State<Rooms>,
    State(log): State<Log>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    if caller.standing != Standing::Good {
        // What one has said oneself one may take back even then.
        let target = rooms.visible_event(&req.room_id, &req.event_id, &caller.user_id);
        if target.await?.pdu.sender() != caller.user_id {
            return Err(ApiError::user_suspended());
        }
    }
    let transaction = transaction(&caller, &req.txn_id)?;
    let event_id = rooms
        .redact(
            &log,
            &req.room_id,
            &caller.user_id,
            &req.event_id,
            req.reason.as_deref(),
            transaction,
        )
        .await
        .map_err(to_outsiders)?;
    Ok(Matrix(Response::new(event_id)))
}

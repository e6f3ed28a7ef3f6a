//! `POST /_matrix/client/v3/rooms/{roomId}/receipt/{receiptType}/{eventId}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidreceiptreceipttypeeventid

use std::sync::Arc;

use accounts::Accounts;
use axum::extract::State;
use model::time::Clock;
use rooms::Rooms;
use ruma::{
    api::client::receipt::create_receipt::v3::{ReceiptType, Request, Response},
    events::receipt::ReceiptThread,
};
use serde_json::{Map, Value};
use store::{Intent, Log};
use tracing::instrument;

use super::{add_marker, receipt};
use crate::{
    caller::Caller,
    error::ApiError,
    matrix::{Complete, Completed, Matrix},
    refusals::to_outsiders,
};

impl Complete for Request {
    fn complete(body: &mut Map<String, Value>) {
        // Whatever is no text is no thread either, and is refused like one that cannot be.
        if let Some(thread) = body.get_mut("thread_id")
            && !thread.is_string()
        {
            *thread = Value::String(thread.to_string());
        }
    }
}

/// Notes how far the caller has read, for everybody, for themselves, or as their marker.
///
/// Receipts only move forward; an earlier one is accepted and changes nothing.
#[instrument(name = "client.send_receipt", skip_all, fields(room.id = %req.room_id))]
pub(crate) async fn send_receipt(
    State(rooms): State<Rooms>,
    State(accounts): State<Accounts>,
    State(log): State<Log>,
    State(clock): State<Arc<dyn Clock>>,
    caller: Caller,
    Completed(req): Completed<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let kind = match req.receipt_type {
        ReceiptType::Read => "m.read",
        ReceiptType::ReadPrivate => "m.read.private",
        ReceiptType::FullyRead => {
            if req.thread != ReceiptThread::Unthreaded {
                return Err(ApiError::invalid_param(
                    "thread_id: m.fully_read has no thread",
                ));
            }
            let mut intent = Intent::new();
            let owners = (&rooms, &accounts);
            add_marker(
                owners,
                &clock,
                &caller,
                &req.room_id,
                &req.event_id,
                &mut intent,
            )
            .await?;
            log.commit(intent)
                .await
                .map_err(|error| ApiError::internal(error.into_store()))?;
            return Ok(Matrix(Response::new()));
        }
        other => {
            let sentence = format!("the receipt type {other} is unknown");
            return Err(ApiError::invalid_param(sentence));
        }
    };
    let thread = thread_of(&req.thread)?;
    let receipt = receipt(&caller, &req.room_id, (kind, thread), req.event_id, &*clock);
    rooms
        .read_up_to(&log, receipt)
        .await
        .map_err(to_outsiders)?;
    Ok(Matrix(Response::new()))
}

fn thread_of(thread: &ReceiptThread) -> Result<&str, ApiError> {
    match thread {
        ReceiptThread::Unthreaded => Ok(""),
        ReceiptThread::Main => Ok("main"),
        ReceiptThread::Thread(root) => Ok(root.as_str()),
        _ => Err(ApiError::invalid_param(
            "thread_id: neither main nor the id of an event",
        )),
    }
}

//! The timeline of a room: sending, redacting, reading.

pub(crate) mod get_context;
pub(crate) mod get_event;
pub(crate) mod get_event_by_timestamp;
pub(crate) mod get_messages;
pub(crate) mod redact_event;
pub(crate) mod send_event;

use model::{filter::EventFilter, ids::check_transaction_id, json::complaint};
use rooms::{RoomsError, RoomsRefusal, Transaction};
use ruma::{TransactionId, UInt, api::client::filter::RoomEventFilter};
use store::Snapshot;
use sync::{BadToken, Boundary};

use crate::{caller::Caller, error::ApiError};

/// The most events of one page.
const LONGEST_PAGE: usize = 500;

/// How a device names this request. An application service without a device names its own: no
/// device has the name that stands for it.
pub(crate) fn transaction(
    caller: &Caller,
    txn_id: &TransactionId,
) -> Result<Option<Transaction>, ApiError> {
    check_transaction_id(txn_id.as_str())?;
    let device_id = match (&caller.device_id, &caller.appservice) {
        (Some(device_id), _) => device_id.to_string(),
        (None, Some(appservice)) => format!("\0{}", appservice.id()),
        (None, None) => return Ok(None),
    };
    Ok(Some(Transaction {
        device_id,
        txn_id: txn_id.to_string(),
    }))
}

/// How many events a page has, at most.
pub(crate) fn page_length(limit: UInt) -> usize {
    usize::try_from(limit)
        .unwrap_or(usize::MAX)
        .min(LONGEST_PAGE)
}

pub(crate) fn compiled(filter: &RoomEventFilter) -> Result<EventFilter, ApiError> {
    EventFilter::compile(filter)
        .map_err(|error| ApiError::invalid_param(format_args!("filter: {}", complaint(&error))))
}

/// The boundary that a token names.
pub(crate) fn boundary(name: &str, token: Option<&str>) -> Result<Option<Boundary>, ApiError> {
    let boundary = token.map(str::parse).transpose();
    boundary.map_err(|error: BadToken| ApiError::invalid_param(format_args!("{name}: {error}")))
}

/// The place of a boundary in the history that a snapshot shows.
pub(crate) async fn ord_in(
    snapshot: &Snapshot,
    boundary: Option<Boundary>,
) -> Result<Option<i64>, ApiError> {
    match boundary {
        Some(boundary) => {
            let ord = boundary.ord_in(snapshot).await;
            ord.map(Some).map_err(ApiError::internal)
        }
        None => Ok(None),
    }
}

/// An event of no room is no event.
pub(crate) fn hidden(error: RoomsError) -> ApiError {
    match error {
        RoomsError::Refused(RoomsRefusal::NoSuchRoom(_)) => RoomsRefusal::NoSuchEvent.into(),
        other => other.into(),
    }
}

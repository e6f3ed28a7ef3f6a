//! The timeline of a room: sending, redacting, reading.

pub(crate) mod get_context;
pub(crate) mod get_event;
pub(crate) mod get_messages;
pub(crate) mod redact_event;
pub(crate) mod send_event;

use model::{filter::EventFilter, ids::check_transaction_id, json::complaint};
use rooms::Transaction;
use ruma::{TransactionId, UInt, api::client::filter::RoomEventFilter};

use crate::{caller::Caller, error::ApiError};

/// The most events of one page.
const LONGEST_PAGE: usize = 500;

/// How a device names this request; who has no device cannot retry.
fn transaction(caller: &Caller, txn_id: &TransactionId) -> Result<Option<Transaction>, ApiError> {
    check_transaction_id(txn_id.as_str())?;
    let named = |device_id: &ruma::OwnedDeviceId| Transaction {
        device_id: device_id.to_string(),
        txn_id: txn_id.to_string(),
    };
    Ok(caller.device_id.as_ref().map(named))
}

fn page_length(limit: UInt) -> usize {
    usize::try_from(limit)
        .unwrap_or(usize::MAX)
        .min(LONGEST_PAGE)
}

fn compiled(filter: &RoomEventFilter) -> Result<EventFilter, ApiError> {
    EventFilter::compile(filter)
        .map_err(|error| ApiError::invalid_param(format_args!("filter: {}", complaint(&error))))
}
